// Vectors of float32 from and to arrays of float32 or bf16, for kernels that compute in float32 whatever they
// store. Compiled once a target.
#if defined(CONVOY_KERNELS_CPU_VECTOR_IO_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_VECTOR_IO_INL_H
#undef CONVOY_KERNELS_CPU_VECTOR_IO_INL_H
#else
#define CONVOY_KERNELS_CPU_VECTOR_IO_INL_H
#endif

#include <cstdint>

#include "convoy/tensor/dtype.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load(D d, const float* from) {
  return hwy::HWY_NAMESPACE::LoadU(d, from);
}

template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load(D d, const tensor::BFloat16* from) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::Rebind<std::uint16_t, D> d16;
  const hn::RebindToUnsigned<D> d32;
  const auto upper = hn::PromoteTo(d32, hn::LoadU(d16, reinterpret_cast<const std::uint16_t*>(from)));
  return hn::BitCast(d, hn::ShiftLeft<16>(upper));
}

template <class D>
HWY_INLINE void store(hwy::HWY_NAMESPACE::Vec<D> value, D d, float* to) {
  hwy::HWY_NAMESPACE::StoreU(value, d, to);
}

// As tensor::to_bf16: to the nearest, ties to even; NaN stays NaN.
template <class D>
HWY_INLINE void store(hwy::HWY_NAMESPACE::Vec<D> value, D, tensor::BFloat16* to) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::Rebind<std::uint16_t, D> d16;
  const hn::RebindToUnsigned<D> d32;
  const auto bits = hn::BitCast(d32, value);
  const auto upper = hn::ShiftRight<16>(bits);
  const auto half = hn::Add(hn::Set(d32, 0x7fff), hn::And(upper, hn::Set(d32, 1)));
  const auto nearest = hn::ShiftRight<16>(hn::Add(bits, half));
  const auto quiet_nan = hn::Or(upper, hn::Set(d32, 0x40));
  const auto rounded = hn::IfThenElse(hn::RebindMask(d32, hn::IsNaN(value)), quiet_nan, nearest);
  hn::StoreU(hn::TruncateTo(d16, rounded), d16, reinterpret_cast<std::uint16_t*>(to));
}

// Single elements.
HWY_INLINE float load(const float* from) { return *from; }
HWY_INLINE float load(const tensor::BFloat16* from) { return tensor::to_f32(*from); }
HWY_INLINE void store(float value, float* to) { *to = value; }
HWY_INLINE void store(float value, tensor::BFloat16* to) { *to = tensor::to_bf16(value); }

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // the target's own guard
