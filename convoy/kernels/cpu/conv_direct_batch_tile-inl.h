// What the register tiles of the batch-blocked direct convolution share. Compiled once a target.
#if defined(CONVOY_KERNELS_CPU_CONV_DIRECT_BATCH_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_CONV_DIRECT_BATCH_TILE_INL_H
#undef CONVOY_KERNELS_CPU_CONV_DIRECT_BATCH_TILE_INL_H
#else
#define CONVOY_KERNELS_CPU_CONV_DIRECT_BATCH_TILE_INL_H
#endif

#include <cstdint>
#include <utility>

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

// Accumulators are local arrays whose every index is a constant behind an integer_sequence: GCC 12 keeps such
// an array in registers, and one indexed by a loop in memory.
template <int kCount>
using Indices = std::make_integer_sequence<int, kCount>;

// Hides how an address came about: GCC 12 would keep the addresses of a whole tile and spill most of them.
HWY_INLINE const float* opaque(const float* at) {
  asm("" : "+r"(at));
  return at;
}

template <int... kI>
HWY_INLINE void clear(V* HWY_RESTRICT acc, std::integer_sequence<int, kI...>) {
  ((acc[kI] = hn::Zero(F())), ...);
}

// kI vectors, `step` apart.
template <int... kI>
HWY_INLINE void load_strided(V* HWY_RESTRICT v, const float* at, std::int64_t step,
                             std::integer_sequence<int, kI...>) {
  ((v[kI] = hn::Load(F(), at), at = opaque(at + step)), ...);
}

template <int... kI>
HWY_INLINE void store_strided(const V* HWY_RESTRICT v, float* to, std::int64_t step,
                              std::integer_sequence<int, kI...>) {
  (hn::Store(v[kI], F(), to + kI * step), ...);
}

template <int... kI>
HWY_INLINE void multiply_add(V* HWY_RESTRICT acc, V factor, const V* HWY_RESTRICT v,
                             std::integer_sequence<int, kI...>) {
  ((acc[kI] = hn::MulAdd(factor, v[kI], acc[kI])), ...);
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // the target's own guard
