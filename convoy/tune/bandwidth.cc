// The copy probe: compiled once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/tune/bandwidth.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace convoy::tune::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// `count` is a multiple of 64, which is one of every vector's lanes.
void triad(float* a, const float* b, const float* c, std::int64_t count) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto scale = hn::Set(d, 0.5f);
  for (std::int64_t i = 0; i < count; i += lanes)
    hn::Store(hn::MulAdd(scale, hn::Load(d, c + i), hn::Load(d, b + i)), d, a + i);
}

}  // namespace convoy::tune::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cmath>

#include "convoy/base/check.h"
#include "convoy/base/clock.h"
#include "convoy/base/threads.h"
#include "convoy/tensor/view.h"
#include "convoy/tune/bandwidth.h"

namespace convoy::tune {
HWY_EXPORT(triad);
namespace {

constexpr std::int64_t kLeastBytes = std::int64_t{2} << 20;  // a thread: more than its own second level
constexpr std::int64_t kSampleBytes = std::int64_t{64}
                                      << 20;  // a thread: milliseconds, long beside waking it
constexpr int kSamples = 3;

// Three arrays for each thread of the team.
class Arrays {
 public:
  Arrays(int threads, std::int64_t bytes)
      : threads_(threads), part_(bytes / 4 / threads / 3 / 64 * 64), buffer_(part_ * 4 * 3 * threads) {
    run(part_, 0);
  }

  // `passes` over `count` elements of each array of each thread; none: the first writing, by which a thread
  // owns its pages. One parallel region, so that a team whose threads must wait for a processor waits once.
  void run(std::int64_t count, int passes) const {
    auto* base = reinterpret_cast<float*>(buffer_.data());
#pragma omp parallel for num_threads(threads_) schedule(static, 1)
    for (int t = 0; t < threads_; ++t) {
      float* a = base + static_cast<std::int64_t>(t) * 3 * part_;
      if (passes == 0) std::fill_n(a, 3 * part_, 1.0f);
      for (int i = 0; i < passes; ++i) HWY_DYNAMIC_DISPATCH(triad)(a, a + part_, a + 2 * part_, count);
    }
  }

  // Elements of one array of one thread when all take `bytes` together.
  std::int64_t count(std::int64_t bytes) const { return std::min(part_, bytes / 4 / threads_ / 3 / 64 * 64); }

 private:
  int threads_;
  std::int64_t part_;
  tensor::Buffer buffer_;
};

}  // namespace

std::vector<BandwidthSample> measure_bandwidth(int threads, std::int64_t most_bytes) {
  CONVOY_CHECK(threads >= 1 && most_bytes >= kLeastBytes * threads, threads, " threads, ", most_bytes,
               " bytes");
  const std::unique_ptr<base::Clock> clock = base::make_steady_clock();
  const Arrays arrays(threads, most_bytes);
  std::vector<BandwidthSample> samples;
  for (std::int64_t bytes = kLeastBytes * threads; bytes <= most_bytes; bytes *= 2) {
    const std::int64_t count = arrays.count(bytes);
    const double moved = static_cast<double>(count) * 4 * 3 * threads;
    const int passes = static_cast<int>(std::max<std::int64_t>(1, kSampleBytes * threads / bytes));
    arrays.run(count, 1);
    double best = 0;
    for (int k = 0; k < kSamples; ++k) {
      const double begin = clock->now();
      arrays.run(count, passes);
      best = std::max(best, moved * passes / (clock->now() - begin));
    }
    samples.push_back({bytes, best});
  }
  return samples;
}

MemoryLevels find_levels(const std::vector<BandwidthSample>& samples, std::int64_t reported_bytes) {
  CONVOY_CHECK(!samples.empty(), "no sample");
  double fastest = 0;
  for (const BandwidthSample& sample : samples) fastest = std::max(fastest, sample.bytes_per_second);
  MemoryLevels levels{.memory_bandwidth = samples.back().bytes_per_second};
  const double border = std::sqrt(fastest * levels.memory_bandwidth);
  std::vector<double> within;
  for (const BandwidthSample& sample : samples) {
    if (reported_bytes > 0 && sample.bytes > reported_bytes) break;
    if (sample.bytes_per_second < border) break;
    levels.cache_bytes = sample.bytes;
    within.push_back(sample.bytes_per_second);
  }
  if (within.empty()) {
    levels.cache_bytes = samples.front().bytes;
    within.push_back(samples.front().bytes_per_second);
  }
  std::nth_element(within.begin(), within.begin() + static_cast<std::ptrdiff_t>(within.size() / 2),
                   within.end());
  levels.cache_bandwidth = within[within.size() / 2];
  return levels;
}

}  // namespace convoy::tune
#endif  // HWY_ONCE
