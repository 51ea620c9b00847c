#include "convoy/kernels/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/simd.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

std::int64_t target_lanes() { return static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>())); }

const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace convoy::kernels::cpu {

HWY_EXPORT(target_name);
HWY_EXPORT(target_lanes);

std::string simd_target() { return std::string("simd:") + HWY_DYNAMIC_DISPATCH(target_name)(); }
std::int64_t simd_lanes() { return HWY_DYNAMIC_DISPATCH(target_lanes)(); }

}  // namespace convoy::kernels::cpu
#endif
