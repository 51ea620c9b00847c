// Register tiles of the direct backward_weights convolution of few input channels. Compiled once a target.
#if defined(CONVOY_KERNELS_CPU_CONV_DIRECT_WEIGHTS_THIN_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_CONV_DIRECT_WEIGHTS_THIN_INL_H
#undef CONVOY_KERNELS_CPU_CONV_DIRECT_WEIGHTS_THIN_INL_H
#else
#define CONVOY_KERNELS_CPU_CONV_DIRECT_WEIGHTS_THIN_INL_H
#endif

#include <cstdint>
#include <utility>
#include <vector>

#include "convoy/kernels/cpu/conv_direct_weights-inl.h"
#include "convoy/kernels/cpu/conv_direct_weights.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

// Few input channels: the tile is lines (of one c and r, or of one c, r and s) times neighbouring taps s.

template <int... kTap>
HWY_INLINE void add_line_pixel(V* HWY_RESTRICT acc, const float* x, V g,
                               std::integer_sequence<int, kTap...>) {
  const F d;
  // Hides where x comes from: GCC 12 would keep the address of every tap and spill most of them.
  asm("" : "+r"(x));
  ((acc[kTap] = hn::MulAdd(hn::Set(d, x[kTap]), g, acc[kTap])), ...);
}

template <int kTaps, int... kLine>
HWY_INLINE void add_thin_pixel(V* HWY_RESTRICT acc, const float* x, const std::int64_t* offset, V g,
                               std::integer_sequence<int, kLine...>) {
  (add_line_pixel(acc + kLine * kTaps, x + offset[kLine], g, Indices<kTaps>{}), ...);
}

template <int kTaps, int... kLine>
HWY_INLINE void load_lines(V* HWY_RESTRICT acc, const float* dw, std::int64_t stride, bool first,
                           std::integer_sequence<int, kLine...>) {
  (load_tile(acc + kLine * kTaps, dw + kLine * stride, first, Indices<kTaps>{}), ...);
}

template <int kTaps, int... kLine>
HWY_INLINE void store_lines(const V* HWY_RESTRICT acc, float* dw, std::int64_t stride,
                            std::integer_sequence<int, kLine...>) {
  (store_tile(acc + kLine * kTaps, dw + kLine * stride, Indices<kTaps>{}), ...);
}

template <int kLines, int... kLine>
HWY_INLINE void copy_offsets(std::int64_t (&to)[kLines], const std::int64_t* from,
                             std::integer_sequence<int, kLine...>) {
  ((to[kLine] = from[kLine]), ...);
}

template <int kTaps, int kLines>
HWY_NOINLINE void add_lines(const PixelRuns& runs, const float* x, const std::int64_t* offsets,
                            const float* y, float* dw, std::int64_t stride, bool first) {
  const F d;
  std::int64_t offset[kLines];
  copy_offsets(offset, offsets, Indices<kLines>{});
  V acc[kLines * kTaps];
  load_lines<kTaps>(acc, dw, stride, first, Indices<kLines>{});
  const std::int64_t step = runs.x_column, ahead = runs.y_ahead;
  for (std::int64_t p = 0; p < runs.rows; ++p, x += runs.x_row, y += runs.y_row) {
    const float *xp = x, *yp = y, *end = y + runs.columns * kLanes;
    for (; yp != end; yp += kLanes, xp += step) {
      prefetch_to_l2(yp + ahead);
      add_thin_pixel<kTaps>(acc, xp, offset, hn::Load(d, yp), Indices<kLines>{});
    }
  }
  store_lines<kTaps>(acc, dw, stride, Indices<kLines>{});
}

using AddLines = void (*)(const PixelRuns&, const float*, const std::int64_t*, const float*, float*,
                          std::int64_t, bool);
// What the registers and the general registers hold: lines for 1 … kMaxTaps taps.
inline constexpr int kMaxTaps = 7, kMaxLines = 9;
inline constexpr int kLinesOfTaps[kMaxTaps] = {
    kManyRegisters ? 9 : 8, kManyRegisters ? 9 : 6, kManyRegisters ? 9 : 4, kManyRegisters ? 7 : 3,
    kManyRegisters ? 5 : 2, kManyRegisters ? 4 : 2, kManyRegisters ? 4 : 1};

template <int kTaps, int... kLine>
constexpr AddLines lines_of(std::int64_t count, std::integer_sequence<int, kLine...>) {
  AddLines found = nullptr;
  ((count == kLine + 1 ? (void)(found = add_lines<kTaps, kLine + 1>) : (void)0), ...);
  return found;
}

template <int... kTap>
AddLines tile_of(std::int64_t taps, std::int64_t count, std::integer_sequence<int, kTap...>) {
  AddLines found = nullptr;
  ((taps == kTap + 1 ? (void)(found = lines_of<kTap + 1>(count, Indices<kLinesOfTaps[kTap]>{})) : (void)0),
   ...);
  return found;
}

// `taps` neighbouring taps of `lines` lines whose first elements lie at x + offsets[line].
HWY_INLINE void add_thin_taps(const PixelRuns& runs, const float* x, const std::vector<std::int64_t>& offsets,
                              std::int64_t taps, const float* y, float* dw, std::int64_t stride, bool first) {
  const std::int64_t lines = static_cast<std::int64_t>(offsets.size());
  const std::int64_t most = kLinesOfTaps[taps - 1], tiles = (lines + most - 1) / most;
  std::int64_t begin = 0;
  for (std::int64_t i = 1; i <= tiles; ++i) {
    const std::int64_t end = lines * i / tiles;
    tile_of(taps, end - begin, Indices<kMaxTaps>{})(runs, x, offsets.data() + begin, y, dw + begin * stride,
                                                    stride, first);
    begin = end;
  }
}

HWY_INLINE void add_thin(const WeightsGeometry& g, const PixelUnit& unit, const ThinTile& tile) {
  const ConvGeometry& conv = g.conv;
  const PixelRuns runs{.rows = unit.row_end - unit.row_begin,
                       .columns = conv.q,
                       .x_row = conv.stride_h * tile.row_size,
                       .x_column = conv.stride_w,
                       .y_row = conv.q * kLanes,
                       .y_ahead = (unit.row_end - unit.row_begin) * conv.q * kLanes};
  const float* y = tile.y + unit.row_begin * conv.q * kLanes;
  const std::int64_t taps = tile.taps_a_line, pieces = (taps + kMaxTaps - 1) / kMaxTaps;
  std::int64_t begin = 0;
  for (std::int64_t i = 1; i <= pieces; ++i) {
    const std::int64_t end = taps * i / pieces;
    add_thin_taps(runs, tile.x + begin, *tile.line_offsets, end - begin, y, tile.dw + begin * kLanes,
                  taps * kLanes, unit.first);
    begin = end;
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // the target's own guard
