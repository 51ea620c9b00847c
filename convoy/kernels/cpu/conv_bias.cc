#include "convoy/kernels/cpu/conv_bias.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_bias.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Sums `pixels` vectors of each of `samples` images, which lie `sample_step` floats apart, into `lanes`
// floats of db. Four sums run side by side to hide the latency of addition.
void sum_channel_block(const float* dy, std::int64_t samples, std::int64_t sample_step, std::int64_t pixels,
                       std::int64_t lanes, float* db) {
#if HWY_TARGET <= HWY_AVX2  // ConvGeometry::of refuses processors below it
  const hn::ScalableTag<float> d;
  const auto vector = static_cast<std::int64_t>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  for (std::int64_t n = 0; n < samples; ++n) {
    const float* at = dy + n * sample_step;
    std::int64_t i = 0;
    for (; i + 4 <= pixels; i += 4, at += 4 * vector) {
      s0 = hn::Add(s0, hn::Load(d, at));
      s1 = hn::Add(s1, hn::Load(d, at + vector));
      s2 = hn::Add(s2, hn::Load(d, at + 2 * vector));
      s3 = hn::Add(s3, hn::Load(d, at + 3 * vector));
    }
    for (; i < pixels; ++i, at += vector) s0 = hn::Add(s0, hn::Load(d, at));
  }
  HWY_ALIGN float sum[hn::MaxLanes(d)];
  hn::Store(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), d, sum);
  for (std::int64_t lane = 0; lane < lanes; ++lane) db[lane] = sum[lane];
#else
  (void)dy, (void)samples, (void)sample_step, (void)pixels, (void)lanes, (void)db;
  HWY_ABORT("not built for this processor");
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {

HWY_EXPORT(sum_channel_block);

void sum_bias_gradient(const float* dy, const ConvGeometry& g, std::int64_t block, float* db) noexcept {
  CONVOY_CHECK(block == simd_lanes(), "blocks of ", block, " channels, vectors of ", simd_lanes());
  const std::int64_t blocks = (g.k + block - 1) / block, pixels = g.p * g.q;
  // Waking the team costs about as much as reading this many elements.
  constexpr std::int64_t kGrain_elements = 32768;
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain_elements / (g.n * pixels * block));
  base::parallel_for(blocks, grain, [&](base::IndexRange range) {
    for (std::int64_t b = range.begin; b < range.end; ++b) HWY_DYNAMIC_DISPATCH(sum_channel_block)
    (dy + b * pixels * block, g.n, blocks * pixels * block, pixels, std::min(block, g.k - b * block),
     db + b * block);
  });
}

}  // namespace convoy::kernels::cpu
#endif
