// Register tiles of the batch-blocked direct convolution, forward and backward_data. Compiled once a target.
#if defined(CONVOY_KERNELS_CPU_CONV_DIRECT_BATCH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_CONV_DIRECT_BATCH_INL_H
#undef CONVOY_KERNELS_CPU_CONV_DIRECT_BATCH_INL_H
#else
#define CONVOY_KERNELS_CPU_CONV_DIRECT_BATCH_INL_H
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "convoy/kernels/cpu/conv_direct_batch.h"
#include "convoy/kernels/cpu/conv_direct_batch_tile-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

// Forward and backward_data: kO output channels x kQ outputs of a row.

template <int kQ, int... kO>
HWY_INLINE void add_tap(V* HWY_RESTRICT acc, const V* HWY_RESTRICT x, const float* const* w, std::int64_t at,
                        std::integer_sequence<int, kO...>) {
  (multiply_add(acc + kO * kQ, hn::Set(F(), w[kO][at]), x, Indices<kQ>{}), ...);
}

template <int... kO>
HWY_INLINE void point_at(const float** w, const float* first, std::int64_t step,
                         std::integer_sequence<int, kO...>) {
  ((w[kO] = first + kO * step), ...);
}

template <int... kQ>
HWY_INLINE void fill(V* HWY_RESTRICT acc, V value, std::integer_sequence<int, kQ...>) {
  ((acc[kQ] = value), ...);
}

// The sums begin with the bias.
template <int kQ, int... kO>
HWY_INLINE void start(V* HWY_RESTRICT acc, const float* bias, std::integer_sequence<int, kO...>) {
  const F d;
  if (bias == nullptr)
    clear(acc, Indices<kQ * sizeof...(kO)>{});
  else
    (fill(acc + kO * kQ, hn::Set(d, bias[kO]), Indices<kQ>{}), ...);
}

// The maximum of zero and NaN is NaN in this order of operands, as x86 has it.
template <int... kI>
HWY_INLINE void rectify(V* HWY_RESTRICT acc, std::integer_sequence<int, kI...>) {
  ((acc[kI] = hn::Max(hn::Zero(F()), acc[kI])), ...);
}

template <int... kI>
HWY_INLINE void clear_padding(V* HWY_RESTRICT acc, std::int64_t samples, std::integer_sequence<int, kI...>) {
  const auto used = hn::FirstN(F(), static_cast<std::size_t>(samples));
  ((acc[kI] = hn::IfThenElseZero(used, acc[kI])), ...);
}

template <int kQ, int... kO>
HWY_INLINE void finish(V* HWY_RESTRICT acc, const BatchTile& t, std::integer_sequence<int, kO...>) {
  if (t.relu) rectify(acc, Indices<kQ * sizeof...(kO)>{});
  if (t.samples < kLanes) clear_padding(acc, t.samples, Indices<kQ * sizeof...(kO)>{});
  (store_strided(acc + kO * kQ, t.out + kO * t.out_output, t.out_step, Indices<kQ>{}), ...);
}

template <int kO, int kQ>
HWY_NOINLINE void correlate(const BatchTile& t) {
  V acc[kO * kQ];
  start<kQ>(acc, t.bias, Indices<kO>{});
  const float* w[kO];
  point_at(w, t.w, t.w_output, Indices<kO>{});
  const std::int64_t in_step = t.in_step, in_tap = t.in_tap, w_tap = t.w_tap;
  for (std::int64_t c = 0; c < t.inputs; ++c)
    for (std::int64_t r = 0; r < t.rows; ++r) {
      const float* x = t.in + c * t.in_input + r * t.in_row;
      std::int64_t at = c * t.w_input + r * t.w_row;
      for (std::int64_t s = 0; s < t.taps; ++s, x += in_tap, at += w_tap) {
        V v[kQ];
        load_strided(v, x, in_step, Indices<kQ>{});
        add_tap<kQ>(acc, v, w, at, Indices<kO>{});
      }
    }
  finish<kQ>(acc, t, Indices<kO>{});
}

// The outputs of a row that the registers hold beside 1 … kMaxOutputs output channels: kO kQ sums, kQ inputs
// and one filter element.
inline constexpr int kMaxOutputs = 6;
inline constexpr int kMaxColumns = 8;
constexpr int columns_beside(int outputs) {
  return std::min(kMaxColumns, (kManyRegisters ? 30 : 15) / (outputs + 1));
}

using Correlate = void (*)(const BatchTile&);

template <int kO, int... kQ>
constexpr std::array<Correlate, kMaxColumns> correlations_of(std::integer_sequence<int, kQ...>) {
  return {correlate<kO, kQ + 1>...};
}
template <int... kO>
constexpr std::array<std::array<Correlate, kMaxColumns>, kMaxOutputs> all_correlations(
    std::integer_sequence<int, kO...>) {
  return {correlations_of<kO + 1>(Indices<columns_beside(kO + 1)>{})...};
}
inline constexpr auto kCorrelations = all_correlations(Indices<kMaxOutputs>{});

// Outputs [begin, end) of the column axis under taps [taps.begin, taps.end), `outputs` channels from t on.
HWY_INLINE void correlate_columns(const Axis& axis, base::IndexRange columns, base::IndexRange taps,
                                  std::int64_t outputs, BatchTile t) {
  const std::int64_t widest = columns_beside(static_cast<int>(outputs));
  const std::int64_t tiles = (columns.size() + widest - 1) / widest;
  const float *in = t.in + axis.input_of(0, taps.begin) * kLanes,
              *w = t.w + (axis.tap_first + taps.begin * axis.tap_step) * t.w_tap;
  float* out = t.out;
  t.w = w;
  t.taps = taps.size();
  t.in_tap = axis.in_tap_step * kLanes;
  t.in_step = axis.in_step * kLanes;
  t.w_tap *= axis.tap_step;
  t.out_step = axis.out_step * kLanes;
  for (std::int64_t i = 0; i < tiles; ++i) {
    const std::int64_t begin = columns.begin + columns.size() * i / tiles;
    const std::int64_t end = columns.begin + columns.size() * (i + 1) / tiles;
    t.in = in + begin * t.in_step;
    t.out = out + (axis.first + begin * axis.out_step) * kLanes;
    kCorrelations[static_cast<std::size_t>(outputs - 1)][static_cast<std::size_t>(end - begin - 1)](t);
  }
}

// Every output of one residue: those under all taps in tiles, those at the borders one by one.
HWY_INLINE void correlate_axis(const Axis& axis, std::int64_t outputs, const BatchTile& t) {
  base::IndexRange inner{0, axis.count};
  for (std::int64_t j = 0; j < axis.taps; ++j) {
    const base::IndexRange reached = axis.outputs_of(j);
    inner = {std::max(inner.begin, reached.begin), std::min(inner.end, reached.end)};
  }
  if (inner.size() <= 0) inner = {axis.count, axis.count};
  for (std::int64_t i = 0; i < inner.begin; ++i)
    correlate_columns(axis, {i, i + 1}, axis.taps_of(i), outputs, t);
  if (inner.size() > 0) correlate_columns(axis, inner, {0, axis.taps}, outputs, t);
  for (std::int64_t i = inner.end; i < axis.count; ++i)
    correlate_columns(axis, {i, i + 1}, axis.taps_of(i), outputs, t);
}

HWY_INLINE void correlate_row(const BatchCorrelation& c, const BatchRow& row) {
  const base::IndexRange taps = row.axis->taps_of(row.i);
  BatchTile t{.in = row.in + row.axis->input_of(row.i, taps.begin) * c.in_row,
              .w = row.w + (row.axis->tap_first + taps.begin * row.axis->tap_step) * c.w_row,
              .inputs = c.inputs,
              .rows = taps.size(),
              .in_input = c.in_plane,
              .in_row = row.axis->in_tap_step * c.in_row,
              .w_output = c.w_output,
              .w_input = c.w_input,
              .w_row = row.axis->tap_step * c.w_row,
              .w_tap = c.w_column,
              .out_output = c.out_plane,
              .samples = row.samples,
              .relu = c.relu};
  const float* w = t.w;
  const std::int64_t tiles = (c.outputs + kMaxOutputs - 1) / kMaxOutputs;
  for (std::int64_t i = 0; i < tiles; ++i) {
    const std::int64_t begin = c.outputs * i / tiles, end = c.outputs * (i + 1) / tiles;
    t.w = w + begin * c.w_output;
    t.out = row.out + begin * c.out_plane;
    t.bias = row.bias != nullptr ? row.bias + begin : nullptr;
    for (const Axis& axis : c.columns) correlate_axis(axis, end - begin, t);
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // the target's own guard
