// The transforms of F(2x2, 5x5).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_winograd_f2r5.cc"
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
WinogradSteps steps_f2r5() { return winograd_steps<2, 5>(); }
#else
WinogradSteps steps_f2r5() { return {}; }
#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace convoy::kernels::cpu {

HWY_EXPORT(steps_f2r5);
WinogradSteps winograd_steps_f2r5() { return HWY_DYNAMIC_DISPATCH(steps_f2r5)(); }

}  // namespace convoy::kernels::cpu
#endif
