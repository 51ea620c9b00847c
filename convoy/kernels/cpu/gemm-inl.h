// The micro-kernel of gemm.h for one instruction set. Included once a Highway target, no guard by #pragma.
#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "convoy/kernels/cpu/gemm.h"
#include "hwy/highway.h"

#if defined(CONVOY_KERNELS_CPU_GEMM_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_GEMM_INL
#undef CONVOY_KERNELS_CPU_GEMM_INL
#else
#define CONVOY_KERNELS_CPU_GEMM_INL
#endif

#ifdef __clang__
#define CONVOY_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CONVOY_UNROLL _Pragma("GCC unroll 32")
#endif

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2
namespace hn = hwy::HWY_NAMESPACE;

using PanelTag = hn::ScalableTag<float>;
using PanelVec = hn::Vec<PanelTag>;
inline constexpr std::int64_t kPanelLanes = HWY_LANES(float);
// AVX-512 has 32 registers: 28 sums, 2 columns and a broadcast row element. AVX2 has 16: 12, 2 and 1.
inline constexpr int kTileRows = kPanelLanes == 16 ? 14 : 6;
inline constexpr int kTilePanels = 2;

// Where one tile's operands lie.
struct TilePlace {
  const float* a;
  const float* b;
  float* c;
  std::int64_t column;  // its first
  const float* next;    // what the tile that follows reads first, to be fetched meanwhile
};

template <int kRows, int kPanels>
using TileSums = PanelVec[kRows][kPanels];

// One step: every row's element times a row of each panel.
template <int kRows, int kPanels, bool kTransposed>
HWY_INLINE void add_step(PanelTag d, const float* HWY_RESTRICT a, const float* HWY_RESTRICT b,
                         std::int64_t b_panel_stride, TileSums<kRows, kPanels>& sums) {
  PanelVec column[kPanels];
  CONVOY_UNROLL for (int v = 0; v < kPanels; ++v) column[v] = hn::Load(d, b + v * b_panel_stride);
  CONVOY_UNROLL for (int i = 0; i < kRows; ++i) {
    const PanelVec element = hn::Set(d, a[i * (kTransposed ? 1 : kPanelLanes)]);
    CONVOY_UNROLL for (int v = 0; v < kPanels; ++v) sums[i][v] = hn::MulAdd(element, column[v], sums[i][v]);
  }
}

// The epilogue of a tile whose last columns do not exist, its sums in rows of `width` floats. Not a template
// and not inline: it is rare, and would be most of the code.
HWY_NOINLINE inline void store_clipped(const PanelProduct& p, const TilePlace& at, const float* sums,
                                       int rows, std::int64_t width) {
  const std::int64_t columns = std::min(p.columns - at.column, width);
  for (int i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      float& target = at.c[i * p.c_row_stride + j / kPanelLanes * p.c_panel_stride + j % kPanelLanes];
      float value = sums[i * width + j];
      if (p.accumulate) value += target;
      if (p.bias != nullptr) value += p.bias[at.column + j];
      target = p.relu ? std::max(value, 0.0F) : value;
    }
  }
}

template <int kRows, int kPanels>
HWY_INLINE void store_tile(PanelTag d, const PanelProduct& p, const TilePlace& at,
                           TileSums<kRows, kPanels>& sums) {
  if (p.clip && at.column + kPanels * kPanelLanes > p.columns) {
    HWY_ALIGN float buffer[kRows * kPanels * kPanelLanes];
    CONVOY_UNROLL for (int i = 0; i < kRows; ++i) CONVOY_UNROLL for (int v = 0; v < kPanels; ++v)
        hn::Store(sums[i][v], d, buffer + (i * kPanels + v) * kPanelLanes);
    store_clipped(p, at, buffer, kRows, kPanels * kPanelLanes);
    return;
  }
  if (p.accumulate) {
    CONVOY_UNROLL for (int i = 0; i < kRows; ++i) CONVOY_UNROLL for (int v = 0; v < kPanels; ++v) sums[i][v] =
        hn::Add(sums[i][v], hn::LoadU(d, at.c + i * p.c_row_stride + v * p.c_panel_stride));
  }
  if (p.bias != nullptr) {
    CONVOY_UNROLL for (int v = 0; v < kPanels; ++v) {
      const std::int64_t column = at.column + v * kPanelLanes;
      const std::int64_t valid = std::clamp<std::int64_t>(p.columns - column, 0, kPanelLanes);
      const auto mask = hn::FirstN(d, static_cast<std::size_t>(valid));
      const PanelVec bias = hn::MaskedLoad(mask, d, p.bias + column);
      CONVOY_UNROLL for (int i = 0; i < kRows; ++i) sums[i][v] = hn::Add(sums[i][v], bias);
    }
  }
  if (p.relu) {
    const PanelVec zero = hn::Zero(d);
    CONVOY_UNROLL for (int i = 0; i < kRows; ++i) CONVOY_UNROLL for (int v = 0; v < kPanels; ++v) sums[i][v] =
        hn::Max(zero, sums[i][v]);
  }
  CONVOY_UNROLL for (int i = 0; i < kRows; ++i) CONVOY_UNROLL for (int v = 0; v < kPanels; ++v)
      hn::StoreU(sums[i][v], d, at.c + i * p.c_row_stride + v * p.c_panel_stride);
}

// Fetches a part of what the next tile reads of one block of steps: a line a row, or a step.
template <int kLines, std::int64_t kLine>
HWY_INLINE void prefetch_block(const float* next) {
  CONVOY_UNROLL for (int i = 0; i < kLines; ++i) __builtin_prefetch(next + i * kLine, 0, 3);
}

// One register tile of c: the whole depth, then the epilogue.
template <int kRows, int kPanels, bool kTransposed>
HWY_NOINLINE void multiply_tile(const PanelProduct& p, const TilePlace& at) {
  const PanelTag d;
  constexpr std::int64_t kStep = kTransposed ? kPanelLanes : 1;  // of `a` with t
  constexpr std::int64_t kUnroll = 4;
  constexpr int kLines = kTransposed ? kUnroll : (kRows + 3) / 4;
  TileSums<kRows, kPanels> sums;
  CONVOY_UNROLL for (int i = 0; i < kRows; ++i) CONVOY_UNROLL for (int v = 0; v < kPanels; ++v) sums[i][v] =
      hn::Zero(d);
  const std::int64_t panel_stride = p.b_panel_stride, blocks = p.depth / kPanelLanes;
  const float *a = at.a, *next = at.next;
  int row_to_fetch = 0;  // of c
  for (std::int64_t block = 0; block < blocks; ++block, a += p.a_block_stride, next += p.a_block_stride) {
    const float* b = at.b + (p.b_blocks != nullptr ? p.b_blocks[block] : block * kPanelLanes * kPanelLanes);
    const float *row = a, *next_row = next;
    for (std::int64_t t = 0; t < kPanelLanes; t += kUnroll) {
      prefetch_block<kLines, kPanelLanes>(next_row);
      if (row_to_fetch < kRows) {
        float* c = at.c + row_to_fetch++ * p.c_row_stride;
        CONVOY_UNROLL for (int v = 0; v < kPanels; ++v) __builtin_prefetch(c + v * p.c_panel_stride, 1, 3);
      }
      CONVOY_UNROLL for (int u = 0; u < kUnroll; ++u)
          add_step<kRows, kPanels, kTransposed>(d, row + u * kStep, b + u * kPanelLanes, panel_stride, sums);
      row += kUnroll * kStep;
      b += kUnroll * kPanelLanes;
      next_row += kLines * kPanelLanes;
    }
  }
  const std::int64_t rest = p.depth - blocks * kPanelLanes;
  if (rest > 0) {
    const float* b = at.b + (p.b_blocks != nullptr ? p.b_blocks[blocks] : blocks * kPanelLanes * kPanelLanes);
    for (std::int64_t t = 0; t < rest; ++t)
      add_step<kRows, kPanels, kTransposed>(d, a + t * kStep, b + t * kPanelLanes, panel_stride, sums);
  }
  store_tile<kRows, kPanels>(d, p, at, sums);
}

using TileFunction = void (*)(const PanelProduct&, const TilePlace&);

template <int kPanels, bool kTransposed, int... kRows>
constexpr std::array<TileFunction, sizeof...(kRows)> tile_functions(std::integer_sequence<int, kRows...>) {
  return {multiply_tile<kRows + 1, kPanels, kTransposed>...};
}

// Rows of tile `tile` of `tiles` even ones, from `row` on.
HWY_INLINE std::int64_t tile_rows(std::int64_t rows, std::int64_t row, std::int64_t tiles,
                                  std::int64_t tile) {
  return (rows - row + tiles - tile - 1) / (tiles - tile);
}

struct TileIndex {
  std::int64_t panel = 0, segment = 0, tile = 0;
};

// What a transposed product fetches during a tile. The tiles of a segment share its lines, and all pairs of
// panels its rows, so that only the first pair fetches the next segment. Behind the last segment the next
// pair's panels are fetched, one a tile; behind the last pair what follows in memory, where the next product
// begins.
HWY_INLINE const float* next_of_transposed(const PanelProduct& p, const TileIndex& at) {
  const bool is_last_pair = at.panel + kTilePanels >= p.panels;
  if (at.segment + 1 == p.segments) {
    const std::int64_t panel = is_last_pair ? 0 : at.panel + kTilePanels;
    const float* next = p.b + std::min(panel + at.tile, p.panels - 1) * p.b_panel_stride;
    return is_last_pair ? next + p.depth * kPanelLanes : next;
  }
  if (is_last_pair && at.panel > 0 && at.segment + 2 == p.segments) return p.a + p.depth * kPanelLanes;
  return p.a + (at.segment + 1) * p.a_segment_stride;
}

template <bool kTransposed>
HWY_INLINE void multiply(const PanelProduct& p) {
  constexpr auto kSequence = std::make_integer_sequence<int, kTileRows>{};
  static constexpr auto kSingle = tile_functions<1, kTransposed>(kSequence);
  static constexpr auto kPair = tile_functions<2, kTransposed>(kSequence);
  constexpr std::int64_t kRow = kTransposed ? 1 : kPanelLanes;  // of `a`
  const std::int64_t tiles = (p.rows + kTileRows - 1) / kTileRows;
  for (std::int64_t panel = 0; panel < p.panels; panel += kTilePanels) {
    const auto& function = panel + 1 < p.panels ? kPair : kSingle;
    for (std::int64_t segment = 0; segment < p.segments; ++segment) {
      const float* a = p.a + segment * p.a_segment_stride;
      float* c = p.c + segment * p.c_segment_stride + panel * p.c_panel_stride;
      for (std::int64_t tile = 0, row = 0; tile < tiles; ++tile) {
        const std::int64_t rows = tile_rows(p.rows, row, tiles, tile);
        const float* next = kTransposed                ? next_of_transposed(p, {panel, segment, tile})
                            : tile + 1 < tiles         ? a + (row + rows) * kRow
                            : segment + 1 < p.segments ? a + p.a_segment_stride
                                                       : p.a;
        function[static_cast<std::size_t>(rows - 1)](
            p, {a + row * kRow, p.b + panel * p.b_panel_stride, c + row * p.c_row_stride, panel * kPanelLanes,
                next});
        row += rows;
      }
    }
  }
}
#endif  // HWY_TARGET <= HWY_AVX2

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
