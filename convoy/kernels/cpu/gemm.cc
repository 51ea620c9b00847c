#include "convoy/kernels/cpu/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/gemm.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/gemm-inl.h"
#include "hwy/highway.h"

#ifndef CONVOY_KERNELS_CPU_GEMM
#define CONVOY_KERNELS_CPU_GEMM
namespace convoy::kernels::cpu {

// A rectangle of a row-major array, and where its panels go.
struct Packing {
  const float* from = nullptr;
  std::int64_t from_stride = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  float* to = nullptr;
  std::int64_t panel_stride = 0;
};

}  // namespace convoy::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2
void multiply_panels_here(const PanelProduct& product) { multiply<false>(product); }
void multiply_panels_transposed_here(const PanelProduct& product) { multiply<true>(product); }
std::int64_t tile_rows_here() { return kTileRows; }

// to[j / L][i][j % L] = from[i][j], zero behind the last column.
void pack_rows(const Packing& p) {
  const PanelTag d;
  for (std::int64_t i = 0; i < p.rows; ++i) {
    const float* from = p.from + i * p.from_stride;
    float* to = p.to + i * kPanelLanes;
    std::int64_t j = 0;
    for (; j + kPanelLanes <= p.columns; j += kPanelLanes, to += p.panel_stride)
      hn::Store(hn::LoadU(d, from + j), d, to);
    if (j < p.columns)
      hn::Store(hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(p.columns - j)), d, from + j), d, to);
  }
}

// to[i][0 … 3] of four rows of four, turned.
HWY_INLINE void turn_4x4(const float* from, std::int64_t from_stride, float* to) {
  const hn::CappedTag<float, 4> d;
  const hn::Repartition<double, decltype(d)> pairs;
  const auto a = hn::LoadU(d, from), b = hn::LoadU(d, from + from_stride),
             c = hn::LoadU(d, from + 2 * from_stride), e = hn::LoadU(d, from + 3 * from_stride);
  const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(d, a, b));
  const auto ab_high = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));
  const auto ce_low = hn::BitCast(pairs, hn::InterleaveLower(d, c, e));
  const auto ce_high = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab_low, ce_low)), d, to);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_low, ce_low)), d, to + kPanelLanes);
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab_high, ce_high)), d, to + 2 * kPanelLanes);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_high, ce_high)), d, to + 3 * kPanelLanes);
}

// to[i / L][j][i % L] = from[i][j], zero behind the last row.
void pack_columns(const Packing& p) {
  for (std::int64_t i0 = 0; i0 < p.rows; i0 += kPanelLanes) {
    float* panel = p.to + i0 / kPanelLanes * p.panel_stride;
    for (std::int64_t i = i0; i < i0 + kPanelLanes; i += 4) {
      const float* from = p.from + i * p.from_stride;
      float* to = panel + i - i0;
      std::int64_t j = 0;
      if (i + 4 <= p.rows)
        for (; j + 4 <= p.columns; j += 4) turn_4x4(from + j, p.from_stride, to + j * kPanelLanes);
      for (; j < p.columns; ++j)
        for (std::int64_t r = 0; r < 4; ++r)
          to[j * kPanelLanes + r] = i + r < p.rows ? from[r * p.from_stride + j] : 0.0F;
    }
  }
}
#else
void multiply_panels_here(const PanelProduct&) { HWY_ABORT("needs AVX2"); }
void multiply_panels_transposed_here(const PanelProduct&) { HWY_ABORT("needs AVX2"); }
std::int64_t tile_rows_here() { return 1; }
void pack_rows(const Packing&) { HWY_ABORT("needs AVX2"); }
void pack_columns(const Packing&) { HWY_ABORT("needs AVX2"); }
#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/gemm_skinny.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(multiply_panels_here);
HWY_EXPORT(multiply_panels_transposed_here);
HWY_EXPORT(tile_rows_here);
HWY_EXPORT(pack_rows);
HWY_EXPORT(pack_columns);

// Steps of one pass: a pair of panels takes 48 KiB, the first cache of a current core, at 16 lanes.
constexpr std::int64_t kDepth = 384;
// Columns of B that are packed at a time: 6 MiB, to stay in the last cache.
constexpr std::int64_t kColumns = 4096;
// Rows of A that one thread packs at a time: 384 KiB, to stay in the second cache.
constexpr std::int64_t kRows = 252;

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Floats of the packed blocks.
struct Blocks {
  explicit Blocks(const Gemm& g)
      : lanes(simd_lanes()),
        depth(std::min(round_up(g.k, lanes), kDepth)),
        columns(std::min(round_up(g.n, lanes), kColumns)),
        rows(std::min(round_up(g.m, lanes), round_up(kRows, lanes))) {}

  std::int64_t a() const { return depth * rows; }
  std::int64_t b() const { return depth * columns; }

  std::int64_t lanes, depth, columns, rows;
};

// The threads as a grid over rows and columns of C.
struct Grid {
  int rows = 1;
  int columns = 1;
};

// The grid whose largest piece is smallest; more pieces of rows where that is equal, because each piece
// packs its rows of A.
Grid choose_grid(std::int64_t row_tiles, std::int64_t panels, int threads) {
  Grid best{1, 1};
  auto best_piece = row_tiles * panels;
  for (int rows = threads; rows >= 1; --rows) {
    const int columns = threads / rows;
    const auto piece = ((row_tiles + rows - 1) / rows) * ((panels + columns - 1) / columns);
    if (piece >= best_piece) continue;
    best = {rows, columns};
    best_piece = piece;
  }
  return best;
}

// One packed block of B and what it is multiplied with.
struct Round {
  const Gemm* gemm = nullptr;
  const float* b = nullptr;  // packed
  std::int64_t column = 0, columns = 0;
  std::int64_t step = 0, steps = 0;
};

void pack_b(const Round& round, float* to) {
  const Gemm& g = *round.gemm;
  const std::int64_t lanes = simd_lanes();
  const std::int64_t panel = round.steps * lanes;
  base::parallel_for(round.columns, lanes, [&](base::IndexRange range) {
    const std::int64_t j = round.column + range.begin;
    const float* from =
        g.b_transposed ? g.b + j * g.b_stride + round.step : g.b + round.step * g.b_stride + j;
    const Packing packing{from,
                          g.b_stride,
                          g.b_transposed ? range.size() : round.steps,
                          g.b_transposed ? round.steps : range.size(),
                          to + range.begin / lanes * panel,
                          panel};
    if (g.b_transposed)
      HWY_DYNAMIC_DISPATCH(pack_columns)(packing);
    else
      HWY_DYNAMIC_DISPATCH(pack_rows)(packing);
  });
}

// Rows [row, row + rows) of A times panels [first, last) of the packed block.
void multiply_block(const Round& round, std::int64_t row, std::int64_t rows, base::IndexRange panels,
                    float* packed_a) {
  const Gemm& g = *round.gemm;
  const std::int64_t lanes = simd_lanes(), panel = round.steps * lanes;
  PanelProduct p{.segments = 1,
                 .rows = rows,
                 .panels = panels.size(),
                 .depth = round.steps,
                 .a = packed_a,
                 .b = round.b + panels.begin * panel,
                 .b_panel_stride = panel,
                 .c = g.c + row * g.c_stride + round.column + panels.begin * lanes,
                 .c_row_stride = g.c_stride,
                 .c_panel_stride = lanes,
                 .accumulate = g.accumulate || round.step > 0,
                 .columns = round.columns - panels.begin * lanes,
                 .clip = true};
  if (!g.a_transposed) {
    p.a_block_stride = rows * lanes;
    HWY_DYNAMIC_DISPATCH(pack_rows)
    ({g.a + row * g.a_stride + round.step, g.a_stride, rows, round.steps, packed_a, p.a_block_stride});
    multiply_panels(p);
    return;
  }
  p.a_block_stride = lanes * lanes;
  HWY_DYNAMIC_DISPATCH(pack_rows)
  ({g.a + round.step * g.a_stride + row, g.a_stride, round.steps, rows, packed_a, panel});
  p.segments = rows / lanes;
  p.rows = lanes;
  p.a_segment_stride = panel;
  p.c_segment_stride = lanes * g.c_stride;
  if (p.segments > 0) multiply_panels_transposed(p);
  p.a += p.segments * panel;
  p.c += p.segments * p.c_segment_stride;
  p.rows = rows % lanes;
  p.segments = 1;
  if (p.rows > 0) multiply_panels_transposed(p);
}

void multiply_round(const Round& round, const Blocks& blocks, float* packed_a) {
  const Gemm& g = *round.gemm;
  const std::int64_t panels = round_up(round.columns, blocks.lanes) / blocks.lanes;
  const std::int64_t tile = register_tile().rows, tiles = round_up(g.m, tile) / tile;
  const Grid grid = choose_grid(tiles, panels, base::thread_count());
  base::parallel_for(grid.rows * grid.columns, 1, [&](base::IndexRange range) {
    for (std::int64_t part = range.begin; part < range.end; ++part) {
      const auto mine = base::split_range(tiles, grid.rows, static_cast<int>(part) / grid.columns);
      const auto columns = base::split_range(panels, grid.columns, static_cast<int>(part) % grid.columns);
      const std::int64_t end = std::min(mine.end * tile, g.m);
      if (columns.size() == 0) continue;
      for (std::int64_t row = mine.begin * tile; row < end; row += blocks.rows)
        multiply_block(round, row, std::min(blocks.rows, end - row), columns, packed_a + part * blocks.a());
    }
  });
}

void clear(const Gemm& g) {
  for (std::int64_t i = 0; i < g.m; ++i) std::fill_n(g.c + i * g.c_stride, g.n, 0.0F);
}

// Columns shared out in pairs of vectors.
void run_skinny(const Gemm& g, float* scratch) {
  const std::int64_t pair = 2 * simd_lanes(), pairs = round_up(g.n, pair) / pair;
  const int parts = static_cast<int>(std::min<std::int64_t>(pairs, base::thread_count()));
  base::parallel_for(parts, 1, [&](base::IndexRange range) {
    for (std::int64_t part = range.begin; part < range.end; ++part) {
      const auto mine = base::split_range(pairs, parts, static_cast<int>(part));
      multiply_skinny(g, mine.begin * pair, std::min(mine.end * pair, g.n),
                      scratch + part * skinny_scratch_count(g));
    }
  });
}

}  // namespace

void multiply_panels(const PanelProduct& product) noexcept {
  HWY_DYNAMIC_DISPATCH(multiply_panels_here)(product);
}

void multiply_panels_transposed(const PanelProduct& product) noexcept {
  HWY_DYNAMIC_DISPATCH(multiply_panels_transposed_here)(product);
}

RegisterTile register_tile() { return {HWY_DYNAMIC_DISPATCH(tile_rows_here)(), 2}; }

std::int64_t gemm_workspace_bytes(const Gemm& g) {
  if (is_skinny(g))
    return base::thread_count() * skinny_scratch_count(g) * static_cast<std::int64_t>(sizeof(float));
  const Blocks blocks(g);
  return (blocks.b() + base::thread_count() * blocks.a()) * static_cast<std::int64_t>(sizeof(float));
}

void gemm(const Gemm& g, void* workspace) noexcept {
  if (g.k == 0 && !g.accumulate) clear(g);
  if (g.m == 0 || g.n == 0 || g.k == 0) return;
  if (is_skinny(g)) {
    run_skinny(g, static_cast<float*>(workspace));
    return;
  }
  const Blocks blocks(g);
  float* packed_b = static_cast<float*>(workspace);
  float* packed_a = packed_b + blocks.b();
  for (std::int64_t column = 0; column < g.n; column += blocks.columns)
    for (std::int64_t step = 0; step < g.k; step += blocks.depth) {
      const Round round{&g,     packed_b,
                        column, std::min(blocks.columns, g.n - column),
                        step,   std::min(blocks.depth, g.k - step)};
      pack_b(round, packed_b);
      multiply_round(round, blocks, packed_a);
    }
}

}  // namespace convoy::kernels::cpu
#endif
