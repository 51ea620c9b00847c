// Register tiles of the batch-blocked direct convolution, backward_weights. Compiled once a target.
#if defined(CONVOY_KERNELS_CPU_CONV_DIRECT_BATCH_WEIGHTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_CONV_DIRECT_BATCH_WEIGHTS_INL_H
#undef CONVOY_KERNELS_CPU_CONV_DIRECT_BATCH_WEIGHTS_INL_H
#else
#define CONVOY_KERNELS_CPU_CONV_DIRECT_BATCH_WEIGHTS_INL_H
#endif

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "convoy/kernels/cpu/conv_direct_batch.h"
#include "convoy/kernels/cpu/conv_direct_batch_tile-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

// backward_weights: kO output channels x kT taps.

template <int kT, int... kO>
HWY_INLINE void add_gradients(V* HWY_RESTRICT acc, const V* HWY_RESTRICT x, const float* dy,
                              std::int64_t step, std::integer_sequence<int, kO...>) {
  ((multiply_add(acc + kO * kT, hn::Load(F(), dy), x, Indices<kT>{}), dy = opaque(dy + step)), ...);
}

template <int kT, int... kO>
HWY_INLINE void load_sums(V* HWY_RESTRICT acc, const BatchWeightsTile& t, std::integer_sequence<int, kO...>) {
  (load_strided(acc + kO * kT, t.sums + kO * t.sums_output, t.sums_tap, Indices<kT>{}), ...);
}

template <int kT, int... kO>
HWY_INLINE void store_sums(const V* HWY_RESTRICT acc, const BatchWeightsTile& t,
                           std::integer_sequence<int, kO...>) {
  (store_strided(acc + kO * kT, t.sums + kO * t.sums_output, t.sums_tap, Indices<kT>{}), ...);
}

template <int kO, int kT>
HWY_NOINLINE void add_products(const BatchWeightsTile& t) {
  V acc[kO * kT];
  if (t.first)
    clear(acc, Indices<kO * kT>{});
  else
    load_sums<kT>(acc, t, Indices<kO>{});
  const std::int64_t x_tap = t.x_tap, x_step = t.x_step, dy_output = t.dy_output;
  for (std::int64_t p = 0; p < t.rows; ++p) {
    const float *x = t.x + p * t.x_row, *dy = t.dy + p * t.dy_row;
    for (std::int64_t q = 0; q < t.columns; ++q, x += x_step, dy += kLanes) {
      V v[kT];
      load_strided(v, x, x_tap, Indices<kT>{});
      add_gradients<kT>(acc, v, dy, dy_output, Indices<kO>{});
    }
  }
  store_sums<kT>(acc, t, Indices<kO>{});
}

// Output channels beside 1 … kBatchTaps taps: kO kT sums, kT inputs and one gradient.
inline constexpr int kMaxGradients = 8;
constexpr int gradients_beside(int taps) {
  return std::min(kMaxGradients, ((kManyRegisters ? 31 : 15) - taps) / taps);
}

using AddProducts = void (*)(const BatchWeightsTile&);

template <int kT, int... kO>
constexpr std::array<AddProducts, kMaxGradients> products_of(std::integer_sequence<int, kO...>) {
  return {add_products<kO + 1, kT>...};
}
template <int... kT>
constexpr std::array<std::array<AddProducts, kMaxGradients>, kBatchTaps> all_products(
    std::integer_sequence<int, kT...>) {
  return {products_of<kT + 1>(Indices<gradients_beside(kT + 1)>{})...};
}
inline constexpr auto kProducts = all_products(Indices<kBatchTaps>{});

HWY_INLINE void add_weights_tile(const BatchWeightsTile& t, std::int64_t outputs, std::int64_t taps) {
  kProducts[static_cast<std::size_t>(taps - 1)][static_cast<std::size_t>(outputs - 1)](t);
}

// sum += every vector of `rows` rows of `columns` pixels.
HWY_INLINE void add_pixels(const float* dy, std::int64_t pixels, bool first, float* sum) {
  const F d;
  V s0 = first ? hn::Zero(d) : hn::Load(d, sum), s1 = hn::Zero(d), s2 = s1, s3 = s1;
  std::int64_t i = 0;
  for (; i + 4 <= pixels; i += 4, dy += 4 * kLanes) {
    s0 = hn::Add(s0, hn::Load(d, dy));
    s1 = hn::Add(s1, hn::Load(d, dy + kLanes));
    s2 = hn::Add(s2, hn::Load(d, dy + 2 * kLanes));
    s3 = hn::Add(s3, hn::Load(d, dy + 3 * kLanes));
  }
  for (; i < pixels; ++i, dy += kLanes) s0 = hn::Add(s0, hn::Load(d, dy));
  hn::Store(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), d, sum);
}

// to[i] = the sum of the lanes of vector i.
HWY_INLINE void sum_lanes(const float* vectors, std::int64_t count, float* to) {
  const F d;
  for (std::int64_t i = 0; i < count; ++i)
    to[i] = hn::GetLane(hn::SumOfLanes(d, hn::Load(d, vectors + i * kLanes)));
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // the target's own guard
