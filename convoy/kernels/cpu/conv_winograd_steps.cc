// The tables of steps, one a variant; a variant is a line here and an entry in conv_winograd_entries.cc.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_winograd_steps.cc"
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

// Without points where there is no such variant, or no code for this instruction set.
WinogradSteps steps_of([[maybe_unused]] WinogradVariant variant) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  for (const WinogradSteps& steps : {winograd_steps<2, 3>(), winograd_steps<4, 3>(), winograd_steps<6, 3>(),
                                     winograd_steps<7, 3>(), winograd_steps<2, 5>()})
    if (steps.outputs == variant.m && steps.taps == variant.r) return steps;
#endif
  return {};
}

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "convoy/base/check.h"

namespace convoy::kernels::cpu {

HWY_EXPORT(steps_of);

WinogradSteps winograd_steps(WinogradVariant variant) {
  const WinogradSteps steps = HWY_DYNAMIC_DISPATCH(steps_of)(variant);
  CONVOY_CHECK(steps.points > 0, "no F(", variant.m, "x", variant.m, ", ", variant.r, "x", variant.r, ")");
  return steps;
}

}  // namespace convoy::kernels::cpu
#endif
