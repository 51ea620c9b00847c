// The FMA probe: compiled once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/tune/peak.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace convoy::tune::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// 12 chains cover four cycles of latency on up to three units and leave AVX2's 16 registers room for the
// two constants.
float multiply_adds(std::int64_t rounds) {
  const hn::ScalableTag<float> d;
  const auto b = hn::Set(d, 0.999f), c = hn::Set(d, 0.001f);
  auto a0 = hn::Iota(d, 0.0f), a1 = hn::Iota(d, 0.1f), a2 = hn::Iota(d, 0.2f), a3 = hn::Iota(d, 0.3f);
  auto a4 = hn::Iota(d, 0.4f), a5 = hn::Iota(d, 0.5f), a6 = hn::Iota(d, 0.6f), a7 = hn::Iota(d, 0.7f);
  auto a8 = hn::Iota(d, 0.8f), a9 = hn::Iota(d, 0.9f), a10 = hn::Iota(d, 1.0f), a11 = hn::Iota(d, 1.1f);
  for (std::int64_t r = 0; r < rounds; ++r) {
    a0 = hn::MulAdd(a0, b, c);
    a1 = hn::MulAdd(a1, b, c);
    a2 = hn::MulAdd(a2, b, c);
    a3 = hn::MulAdd(a3, b, c);
    a4 = hn::MulAdd(a4, b, c);
    a5 = hn::MulAdd(a5, b, c);
    a6 = hn::MulAdd(a6, b, c);
    a7 = hn::MulAdd(a7, b, c);
    a8 = hn::MulAdd(a8, b, c);
    a9 = hn::MulAdd(a9, b, c);
    a10 = hn::MulAdd(a10, b, c);
    a11 = hn::MulAdd(a11, b, c);
  }
  const auto low = hn::Add(hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)), hn::Add(a4, a5));
  const auto high = hn::Add(hn::Add(hn::Add(a6, a7), hn::Add(a8, a9)), hn::Add(a10, a11));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(low, high)));
}

std::size_t vector_lanes() { return hn::Lanes(hn::ScalableTag<float>()); }
const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace convoy::tune::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/base/clock.h"
#include "convoy/tune/peak.h"

namespace convoy::tune {
HWY_EXPORT(multiply_adds);
HWY_EXPORT(vector_lanes);
HWY_EXPORT(target_name);
namespace {

constexpr int kChains = 12;
constexpr std::int64_t kRounds = 2'000'000;  // about 3 ms: long beside waking the team, short beside a sample

}  // namespace

Peak measure_peak(int threads, int probes) {
  CONVOY_CHECK(threads >= 1 && probes >= 1, threads, " threads, ", probes, " probes");
  const std::unique_ptr<base::Clock> clock = base::make_steady_clock();
  const double flops = 2.0 * kChains * static_cast<double>(kRounds) * threads *
                       static_cast<double>(HWY_DYNAMIC_DISPATCH(vector_lanes)());
  std::vector<double> rates;
  [[maybe_unused]] volatile float sink = 0;
  for (int probe = 0; probe <= probes; ++probe) {
    float sum = 0;
    const double begin = clock->now();
#pragma omp parallel num_threads(threads) reduction(+ : sum)
    sum += HWY_DYNAMIC_DISPATCH(multiply_adds)(kRounds);
    const double end = clock->now();
    sink = sum;
    if (probe > 0) rates.push_back(flops / (end - begin));
  }
  std::sort(rates.begin(), rates.end());
  const std::size_t middle = rates.size() / 2;
  return {.median_flops = rates.size() % 2 == 1 ? rates[middle] : (rates[middle - 1] + rates[middle]) / 2,
          .best_flops = rates.back(),
          .isa = HWY_DYNAMIC_DISPATCH(target_name)()};
}

}  // namespace convoy::tune
#endif  // HWY_ONCE
