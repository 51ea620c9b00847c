// The transforms of F(6x6, 3x3).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_winograd_f6.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/conv_winograd.h"
#include "hwy/highway.h"
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
#include "convoy/kernels/cpu/conv_winograd-inl.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
WinogradSteps steps_f6() { return winograd_steps<6, 3>(); }
#else
WinogradSteps steps_f6() { return {}; }
#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace convoy::kernels::cpu {

HWY_EXPORT(steps_f6);
WinogradSteps winograd_steps_f6() { return HWY_DYNAMIC_DISPATCH(steps_f6)(); }

}  // namespace convoy::kernels::cpu
#endif
