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

// One register tile of c: the whole depth, then the epilogue.
template <int kRows, int kPanels, bool kTransposed>
HWY_NOINLINE void multiply_tile(const PanelProduct& p, const TilePlace& at) {
  const PanelTag d;
  constexpr std::int64_t kStep = kTransposed ? kPanelLanes : 1;  // of `a` with t
  constexpr std::int64_t kUnroll = 4;
  TileSums<kRows, kPanels> sums;
  CONVOY_UNROLL for (int i = 0; i < kRows; ++i) CONVOY_UNROLL for (int v = 0; v < kPanels; ++v) sums[i][v] =
      hn::Zero(d);
  const std::int64_t panel_stride = p.b_panel_stride, blocks = p.depth / kPanelLanes;
  const float* a = at.a;
  for (std::int64_t block = 0; block < blocks; ++block, a += p.a_block_stride) {
    const float* b = at.b + (p.b_blocks != nullptr ? p.b_blocks[block] : block * kPanelLanes * kPanelLanes);
    const float* row = a;
    for (std::int64_t t = 0; t < kPanelLanes;
         t += kUnroll, row += kUnroll * kStep, b += kUnroll * kPanelLanes)
      CONVOY_UNROLL for (int u = 0; u < kUnroll; ++u)
          add_step<kRows, kPanels, kTransposed>(d, row + u * kStep, b + u * kPanelLanes, panel_stride, sums);
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

// Calls body(first row, rows) for even pieces of at most kTileRows.
template <class Body>
HWY_INLINE void for_each_row_tile(std::int64_t rows, const Body& body) {
  const std::int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  std::int64_t row = 0;
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const std::int64_t count = (rows - row + tiles - tile - 1) / (tiles - tile);
    body(row, count);
    row += count;
  }
}

template <bool kTransposed>
HWY_INLINE void multiply(const PanelProduct& p) {
  constexpr auto kSequence = std::make_integer_sequence<int, kTileRows>{};
  static constexpr auto kSingle = tile_functions<1, kTransposed>(kSequence);
  static constexpr auto kPair = tile_functions<2, kTransposed>(kSequence);
  for (std::int64_t panel = 0; panel < p.panels; panel += kTilePanels) {
    const bool is_pair = panel + 1 < p.panels;
    for (std::int64_t segment = 0; segment < p.segments; ++segment)
      for_each_row_tile(p.rows, [&](std::int64_t row, std::int64_t count) {
        const TilePlace at{
            p.a + segment * p.a_segment_stride + row * (kTransposed ? 1 : kPanelLanes),
            p.b + panel * p.b_panel_stride,
            p.c + segment * p.c_segment_stride + row * p.c_row_stride + panel * p.c_panel_stride,
            panel * kPanelLanes};
        const auto index = static_cast<std::size_t>(count - 1);
        (is_pair ? kPair[index] : kSingle[index])(p, at);
      });
  }
}
#endif  // HWY_TARGET <= HWY_AVX2

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
