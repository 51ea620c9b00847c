// The transforms of F(7x7, 3x3).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_winograd_f7.cc"
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
WinogradSteps steps_f7() { return winograd_steps<7, 3>(); }
#else
WinogradSteps steps_f7() { return {}; }
#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace convoy::kernels::cpu {

HWY_EXPORT(steps_f7);
WinogradSteps winograd_steps_f7() { return HWY_DYNAMIC_DISPATCH(steps_f7)(); }

}  // namespace convoy::kernels::cpu
#endif
