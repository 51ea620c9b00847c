#include "convoy/benchkit/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "convoy/base/rng.h"

namespace convoy::benchkit {
namespace {

std::vector<double> normal_samples(std::uint64_t trial, int count, double mean, double deviation) {
  base::RandomStream random(7, base::Purpose::test, trial, 1);
  std::vector<double> samples;
  for (int i = 0; i < count; ++i) samples.push_back(mean + deviation * random.normal());
  return samples;
}

TEST(Statistics, MedianOfOddEvenAndUnsorted) {
  EXPECT_EQ(median(std::vector<double>{3}), 3);
  EXPECT_EQ(median(std::vector<double>{5, 1, 3}), 3);
  EXPECT_EQ(median(std::vector<double>{4, 1, 3, 2}), 2.5);
  EXPECT_EQ(median(std::vector<double>{1, 1, 1, 1000}), 1);
}

TEST(Statistics, EqualSamplesLeaveNoDoubt) {
  const std::vector<double> same(15, 2.0), half(15, 1.0);
  const Interval m = bootstrap_median(same), r = bootstrap_ratio(same, half);
  EXPECT_EQ(m.low, 2);
  EXPECT_EQ(m.high, 2);
  EXPECT_EQ(r.low, 2);
  EXPECT_EQ(r.high, 2);
}

// Three samples have 27 equally likely draws; the median is the smallest of them in 7, so a 40 % interval
// (tails of 30 %) excludes both ends and a 60 % one (tails of 20 %) holds them.
TEST(Statistics, IntervalOfThreeSamplesAsCounted) {
  const std::vector<double> samples = {1, 2, 3};
  const Interval narrow = bootstrap_median(samples, {.confidence = 0.4});
  const Interval wide = bootstrap_median(samples, {.confidence = 0.6});
  EXPECT_EQ(narrow.low, 2);
  EXPECT_EQ(narrow.high, 2);
  EXPECT_EQ(wide.low, 1);
  EXPECT_EQ(wide.high, 3);
}

TEST(Statistics, IntervalHoldsTheTruthAboutAsOftenAsItSays) {
  int held = 0;
  constexpr int kTrials = 200;
  for (int trial = 0; trial < kTrials; ++trial) {
    const std::vector<double> samples = normal_samples(static_cast<std::uint64_t>(trial), 15, 10, 1);
    const Interval interval = bootstrap_median(samples, {.resamples = 400});
    held += interval.low <= 10 && 10 <= interval.high;
  }
  // 0.95 less what the percentile method loses at 15 samples; three deviations of 200 trials are 4.6 %.
  EXPECT_GE(held, kTrials * 88 / 100);
  EXPECT_LT(held, kTrials);
}

// A machine that slows both sides down alike: paired draws see the ratio, draws of their own do not.
TEST(Statistics, PairsCancelWhatHitsBothSides) {
  std::vector<double> fast, slow, shuffled;
  for (int i = 0; i < 21; ++i) {
    const double phase = 1 + i % 3;
    fast.push_back(2 * phase);
    slow.push_back(phase);
    shuffled.push_back(1 + (i + i / 7) % 3);  // the same values, but no longer beside their partners
  }
  const Interval paired = bootstrap_ratio(fast, slow);
  EXPECT_EQ(paired.low, 2);
  EXPECT_EQ(paired.high, 2);
  const Interval broken = bootstrap_ratio(fast, shuffled);
  EXPECT_LT(broken.low, 2);
  EXPECT_GT(broken.high, 2);
}

TEST(Statistics, AnyStatisticOfMediansHasItsInterval) {
  const std::vector<std::vector<double>> steady = {{2, 2, 2}, {8, 8, 8, 8}};
  const auto geometric_mean = [](std::span<const double> medians) {
    return std::sqrt(medians[0] * medians[1]);
  };
  EXPECT_DOUBLE_EQ(bootstrap_medians(steady, geometric_mean).low, 4);
  EXPECT_DOUBLE_EQ(bootstrap_medians(steady, geometric_mean).high, 4);

  // With one group it is the interval of its median.
  const std::vector<std::vector<double>> one = {normal_samples(5, 15, 100, 5)};
  const auto itself = [](std::span<const double> medians) { return medians[0]; };
  const Interval any = bootstrap_medians(one, itself), known = bootstrap_median(one[0]);
  EXPECT_NEAR(any.low, known.low, 1);
  EXPECT_NEAR(any.high, known.high, 1);

  // A noisy group widens it.
  const Interval noisy =
      bootstrap_medians(std::vector<std::vector<double>>{one[0], {8, 8, 8}},
                        [](std::span<const double> medians) { return medians[0] / medians[1]; });
  EXPECT_LT(noisy.low, noisy.high);
}

TEST(Statistics, SameSeedSameIntervalOtherSeedOther) {
  const std::vector<double> samples = normal_samples(99, 16, 100, 5);
  const Interval a = bootstrap_median(samples, {.resamples = 50, .seed = 1});
  const Interval b = bootstrap_median(samples, {.resamples = 50, .seed = 1});
  const Interval c = bootstrap_median(samples, {.resamples = 50, .seed = 2});
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_TRUE(a.low != c.low || a.high != c.high);
}

TEST(StatisticsDeathTest, RefusesWhatHasNoAnswer) {
  EXPECT_DEATH(median({}), "no samples");
  EXPECT_DEATH(bootstrap_ratio(std::vector<double>{1, 2}, std::vector<double>{1}), "2 numerators");
  EXPECT_DEATH(bootstrap_ratio(std::vector<double>{1}, std::vector<double>{0}), "not positive");
}

}  // namespace
}  // namespace convoy::benchkit
