// Register tiles of the direct backward_weights convolution across the groups of a depthwise one. Compiled
// once a target.
#if defined(CONVOY_KERNELS_CPU_CONV_DIRECT_WEIGHTS_DEPTHWISE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_CONV_DIRECT_WEIGHTS_DEPTHWISE_INL_H
#undef CONVOY_KERNELS_CPU_CONV_DIRECT_WEIGHTS_DEPTHWISE_INL_H
#else
#define CONVOY_KERNELS_CPU_CONV_DIRECT_WEIGHTS_DEPTHWISE_INL_H
#endif

#include <cstdint>
#include <type_traits>
#include <utility>

#include "convoy/kernels/cpu/conv_direct_weights-inl.h"
#include "convoy/kernels/cpu/conv_direct_weights.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

// Depthwise: vectors on both sides. kTaps neighbouring taps share dY; two chains each.

template <int... kTap>
HWY_INLINE void add_depthwise_pixel(V* HWY_RESTRICT acc, const float* x, std::int64_t tap_step,
                                    const float* y, std::integer_sequence<int, kTap...>) {
  const F d;
  const V g = hn::Load(d, y);
  ((acc[kTap] = hn::MulAdd(hn::Load(d, x + kTap * tap_step), g, acc[kTap])), ...);
}

template <int... kTap>
HWY_INLINE void join_chains(V* HWY_RESTRICT acc, const V* HWY_RESTRICT other,
                            std::integer_sequence<int, kTap...>) {
  ((acc[kTap] = hn::Add(acc[kTap], other[kTap])), ...);
}

template <int kTaps>
HWY_NOINLINE void add_depthwise_runs(const PixelRuns& runs, const float* x, std::int64_t tap_step,
                                     const float* y, float* dw, bool first) {
  V even[kTaps], odd[kTaps];
  load_tile(even, dw, first, Indices<kTaps>{});
  load_tile(odd, dw, true, Indices<kTaps>{});
  const std::int64_t step = runs.x_column;
  for (std::int64_t n = 0; n < runs.samples; ++n) {
    for (std::int64_t p = 0; p < runs.rows; ++p) {
      const float* xp = x + n * runs.x_sample + p * runs.x_row;
      const float* yp = y + n * runs.y_sample + p * runs.y_row;
      std::int64_t q = 0;
      for (; q + 2 <= runs.columns; q += 2, xp += 2 * step, yp += 2 * kLanes) {
        add_depthwise_pixel(even, xp, tap_step, yp, Indices<kTaps>{});
        add_depthwise_pixel(odd, xp + step, tap_step, yp + kLanes, Indices<kTaps>{});
      }
      if (q < runs.columns) add_depthwise_pixel(even, xp, tap_step, yp, Indices<kTaps>{});
    }
  }
  join_chains(even, odd, Indices<kTaps>{});
  store_tile(even, dw, Indices<kTaps>{});
}

// One row of `kTaps` taps: the columns that all of them reach together, then what is left of each.
template <int kTaps>
HWY_INLINE void add_depthwise_taps(const WeightsGeometry& g, const PixelUnit& unit, const DepthwiseTile& tile,
                                   std::int64_t r, std::int64_t s, float* dw) {
  const ConvGeometry& conv = g.conv;
  const TapRange rows = rows_of(g.rows[static_cast<std::size_t>(r)], unit);
  const TapRange* taps = g.columns.data() + s;
  // The first tap enters the image last, and the last leaves it first.
  TapRange shared{taps[0].begin, taps[kTaps - 1].end};
  if (shared.end < shared.begin) shared.end = shared.begin;
  const auto add = [&](auto count, std::int64_t tap, TapRange columns, bool first) HWY_ATTR {
    const PixelRuns runs = runs_of(g, unit, rows, columns, tile.x_sample, tile.y_sample);
    const std::int64_t h = rows.begin * conv.stride_h - conv.pad_top + r * conv.dilation_h;
    const std::int64_t w = columns.begin * conv.stride_w - conv.pad_left + (s + tap) * conv.dilation_w;
    add_depthwise_runs<decltype(count)::value>(
        runs, tile.x + unit.sample_begin * tile.x_sample + (h * conv.w + w) * kLanes,
        conv.dilation_w * kLanes,
        tile.y + unit.sample_begin * tile.y_sample + (rows.begin * conv.q + columns.begin) * kLanes,
        dw + tap * kLanes, first);
  };
  add(std::integral_constant<int, kTaps>{}, 0, shared, unit.first);
  if constexpr (kTaps > 1)
    for (std::int64_t tap = 0; tap < kTaps; ++tap) {
      const TapRange all = taps[tap];
      const std::int64_t left = all.end < shared.begin ? all.end : shared.begin;
      const std::int64_t right = all.begin > shared.end ? all.begin : shared.end;
      if (all.begin < left) add(std::integral_constant<int, 1>{}, tap, {all.begin, left}, false);
      if (right < all.end) add(std::integral_constant<int, 1>{}, tap, {right, all.end}, false);
    }
}

HWY_INLINE void add_depthwise(const WeightsGeometry& g, const PixelUnit& unit, const DepthwiseTile& tile) {
  const ConvGeometry& conv = g.conv;
  for (std::int64_t r = 0; r < conv.r; ++r)
    for (std::int64_t s = 0; s < conv.s;) {
      float* dw = tile.dw + (r * conv.s + s) * kLanes;
      const std::int64_t left = conv.s - s;
      if (left >= 5 && kManyRegisters) {
        add_depthwise_taps<5>(g, unit, tile, r, s, dw);
        s += 5;
      } else if (left >= 3) {
        add_depthwise_taps<3>(g, unit, tile, r, s, dw);
        s += 3;
      } else {
        add_depthwise_taps<1>(g, unit, tile, r, s, dw);
        s += 1;
      }
    }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // the target's own guard
