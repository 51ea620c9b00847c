// Register tiles of the direct backward_weights convolution. Compiled once a target.
#if defined(CONVOY_KERNELS_CPU_CONV_DIRECT_WEIGHTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_CONV_DIRECT_WEIGHTS_INL_H
#undef CONVOY_KERNELS_CPU_CONV_DIRECT_WEIGHTS_INL_H
#else
#define CONVOY_KERNELS_CPU_CONV_DIRECT_WEIGHTS_INL_H
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "convoy/kernels/cpu/conv_direct_weights.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

namespace hn = hwy::HWY_NAMESPACE;
using F = hn::ScalableTag<float>;
using V = hn::Vec<F>;
inline constexpr int kLanes = HWY_TARGET <= HWY_AVX3 ? 16 : 8;
inline constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3;  // 32, else 16

// Accumulators are local arrays whose every index is a constant behind index_sequence: GCC 12 keeps such an
// array in registers, and one indexed by a loop in memory.
template <int kCount>
using Indices = std::make_integer_sequence<int, kCount>;

// May point beyond the array.
HWY_INLINE void prefetch_to_l2(const float* at) { __builtin_prefetch(at, 0, 2); }

template <int... kI>
HWY_INLINE void load_tile(V* HWY_RESTRICT acc, const float* from, bool first,
                          std::integer_sequence<int, kI...>) {
  const F d;
  if (first)
    ((acc[kI] = hn::Zero(d)), ...);
  else
    ((acc[kI] = hn::Load(d, from + kI * kLanes)), ...);
}

template <int... kI>
HWY_INLINE void store_tile(const V* HWY_RESTRICT acc, float* to, std::integer_sequence<int, kI...>) {
  const F d;
  ((hn::Store(acc[kI], d, to + kI * kLanes)), ...);
}

// acc[c] += x[c] y for one k-block; the broadcasts fold into the multiply-adds.
template <int... kC>
HWY_INLINE void add_pixel(V (&acc)[1][sizeof...(kC)], const float* x, const float* y, std::int64_t,
                          std::integer_sequence<int, kC...>) {
  const F d;
  const V g = hn::Load(d, y);
  ((acc[0][kC] = hn::MulAdd(hn::Set(d, x[kC]), g, acc[0][kC])), ...);
}

template <int... kC>
HWY_INLINE void add_pixel(V (&acc)[2][sizeof...(kC)], const float* x, const float* y, std::int64_t y_block,
                          std::integer_sequence<int, kC...>) {
  const F d;
  const V g0 = hn::Load(d, y), g1 = hn::Load(d, y + y_block);
  V b;
  ((b = hn::Set(d, x[kC]), acc[0][kC] = hn::MulAdd(b, g0, acc[0][kC]),
    acc[1][kC] = hn::MulAdd(b, g1, acc[1][kC])),
   ...);
}

template <int... kC>
HWY_INLINE void add_pixel(V (&acc)[3][sizeof...(kC)], const float* x, const float* y, std::int64_t y_block,
                          std::integer_sequence<int, kC...>) {
  const F d;
  const V g0 = hn::Load(d, y), g1 = hn::Load(d, y + y_block), g2 = hn::Load(d, y + 2 * y_block);
  V b;
  ((b = hn::Set(d, x[kC]), acc[0][kC] = hn::MulAdd(b, g0, acc[0][kC]),
    acc[1][kC] = hn::MulAdd(b, g1, acc[1][kC]), acc[2][kC] = hn::MulAdd(b, g2, acc[2][kC])),
   ...);
}

// kC channels times kK vectors of outputs, over all pixels of the runs.
template <int kC, int kK>
HWY_NOINLINE void add_runs(const PixelRuns& runs, const float* x, const BlockedTile& tile, const float* y,
                           float* dw, bool first) {
  V acc[kK][kC];
  load_tile(acc[0], dw, first, Indices<kC>{});
  if constexpr (kK > 1) load_tile(acc[1], dw + tile.dw_block, first, Indices<kC>{});
  if constexpr (kK > 2) load_tile(acc[2], dw + 2 * tile.dw_block, first, Indices<kC>{});
  const std::int64_t y_block = tile.y_block, step = runs.x_column;
  const std::int64_t x_ahead = runs.x_ahead, y_ahead = runs.y_ahead;
  for (std::int64_t n = 0; n < runs.samples; ++n) {
    const float *x_row = x + n * runs.x_sample, *y_row = y + n * runs.y_sample;
    for (std::int64_t p = 0; p < runs.rows; ++p, x_row += runs.x_row, y_row += runs.y_row) {
      const float *xp = x_row, *yp = y_row, *end = y_row + runs.columns * kLanes;
      for (; yp != end; yp += kLanes, xp += step) {
        prefetch_to_l2(xp + x_ahead);
        prefetch_to_l2(yp + y_ahead);
        if constexpr (kK > 1) prefetch_to_l2(yp + y_block + y_ahead);
        if constexpr (kK > 2) prefetch_to_l2(yp + 2 * y_block + y_ahead);
        add_pixel(acc, xp, yp, y_block, Indices<kC>{});
      }
    }
  }
  store_tile(acc[0], dw, Indices<kC>{});
  if constexpr (kK > 1) store_tile(acc[1], dw + tile.dw_block, Indices<kC>{});
  if constexpr (kK > 2) store_tile(acc[2], dw + 2 * tile.dw_block, Indices<kC>{});
}

// The rows of a unit that tap r of one plane reaches, and its columns under tap s.
HWY_INLINE PixelRuns runs_of(const WeightsGeometry& g, const PixelUnit& unit, const TapRange& rows,
                             const TapRange& columns, std::int64_t x_sample, std::int64_t y_sample) {
  const ConvGeometry& conv = g.conv;
  PixelRuns runs{.samples = unit.sample_end - unit.sample_begin,
                 .rows = rows.end > rows.begin ? rows.end - rows.begin : 0,
                 .columns = columns.end - columns.begin,
                 .x_sample = x_sample,
                 .x_row = conv.stride_h * conv.w * kLanes,
                 .x_column = conv.stride_w * kLanes,
                 .y_sample = y_sample,
                 .y_row = conv.q * kLanes};
  // Rows without a gap between them are one long row.
  if (runs.x_row == runs.columns * runs.x_column && runs.y_row == runs.columns * kLanes) {
    runs.columns *= runs.rows;
    runs.rows = runs.columns > 0;
  }
  return runs;
}

HWY_INLINE TapRange rows_of(const TapRange& tap, const PixelUnit& unit) {
  return {tap.begin > unit.row_begin ? tap.begin : unit.row_begin,
          tap.end < unit.row_end ? tap.end : unit.row_end};
}

// Lets the first tap's pass fetch what all passes over the next unit will read.
HWY_INLINE void look_ahead(const ConvGeometry& conv, const PixelUnit& unit, const BlockedTile& tile,
                           PixelRuns& runs) {
  const std::int64_t rows = unit.row_end - unit.row_begin, samples = unit.sample_end - unit.sample_begin;
  const bool whole = rows == conv.p;
  runs.x_ahead = whole ? samples * tile.x_sample : rows * conv.stride_h * conv.w * kLanes;
  runs.y_ahead = whole ? samples * tile.y_sample : rows * conv.q * kLanes;
}

template <int kC, int kK>
HWY_INLINE void add_taps(const WeightsGeometry& g, const PixelUnit& unit, const BlockedTile& tile) {
  const ConvGeometry& conv = g.conv;
  const float* x_first = tile.x + unit.sample_begin * tile.x_sample;
  const float* y_first = tile.y + unit.sample_begin * tile.y_sample;
  float* dw = tile.dw;
  for (std::int64_t r = 0; r < conv.r; ++r) {
    const TapRange rows = rows_of(g.rows[static_cast<std::size_t>(r)], unit);
    const std::int64_t h = rows.begin * conv.stride_h - conv.pad_top + r * conv.dilation_h;
    for (std::int64_t s = 0; s < conv.s; ++s, dw += kLanes * kLanes) {
      const TapRange columns = g.columns[static_cast<std::size_t>(s)];
      const PixelRuns runs = runs_of(g, unit, rows, columns, tile.x_sample, tile.y_sample);
      const std::int64_t w = columns.begin * conv.stride_w - conv.pad_left + s * conv.dilation_w;
      const float* x = x_first + (h * conv.w + w) * kLanes;
      const float* y = y_first + (rows.begin * conv.q + columns.begin) * kLanes;
      for (std::int64_t c = 0; c < kLanes; c += kC) {
        const bool is_padding = c >= tile.channels;
        if (is_padding && !unit.first) continue;
        PixelRuns used = runs;
        if (is_padding) used.samples = 0;
        if (r + s + c == 0) look_ahead(conv, unit, tile, used);
        add_runs<kC, kK>(used, x + c, tile, y, dw + c * kLanes, unit.first);
      }
    }
  }
}

// Works off the k-blocks of a tile in threes and twos, whose broadcasts serve each of them.
HWY_INLINE void add_blocked(const WeightsGeometry& g, const PixelUnit& unit, BlockedTile tile) {
  constexpr int kNarrow = kManyRegisters ? 8 : 4;
  while (tile.k_blocks > 0) {
    const std::int64_t now = tile.k_blocks == 4 || tile.k_blocks == 2 ? 2 : tile.k_blocks >= 3 ? 3 : 1;
    if (now == 3)
      add_taps<kNarrow, 3>(g, unit, tile);
    else if (now == 2)
      add_taps<kNarrow, 2>(g, unit, tile);
    else
      add_taps<kLanes, 1>(g, unit, tile);
    tile.y += now * tile.y_block;
    tile.dw += now * tile.dw_block;
    tile.k_blocks -= now;
  }
}

// bias[k] += dY of a unit's pixels, in four chains. y is the k-block's plane of sample 0.
HWY_INLINE void add_bias(const WeightsGeometry& g, const PixelUnit& unit, const float* y,
                         std::int64_t y_sample, float* bias) {
  const F d;
  V s0 = unit.first ? hn::Zero(d) : hn::Load(d, bias), s1 = hn::Zero(d), s2 = s1, s3 = s1;
  const std::int64_t pixels = (unit.row_end - unit.row_begin) * g.conv.q;
  for (std::int64_t n = unit.sample_begin; n < unit.sample_end; ++n) {
    const float* at = y + n * y_sample + unit.row_begin * g.conv.q * kLanes;
    std::int64_t i = 0;
    for (; i + 4 <= pixels; i += 4, at += 4 * kLanes) {
      s0 = hn::Add(s0, hn::Load(d, at));
      s1 = hn::Add(s1, hn::Load(d, at + kLanes));
      s2 = hn::Add(s2, hn::Load(d, at + 2 * kLanes));
      s3 = hn::Add(s3, hn::Load(d, at + 3 * kLanes));
    }
    for (; i < pixels; ++i, at += kLanes) s0 = hn::Add(s0, hn::Load(d, at));
  }
  hn::Store(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), d, bias);
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // the target's own guard
