// What samples of a measurement say: medians and how sure they are.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace convoy::benchkit {

struct Interval {
  double low = 0;
  double high = 0;
};

// How an interval is estimated.
struct BootstrapConfig {
  int resamples = 4000;
  double confidence = 0.95;
  std::uint64_t seed = 1;
};

// The middle of the sorted samples; the mean of both middle ones where their number is even. Requires at
// least one sample, and none that is NaN.
double median(std::span<const double> samples);

// Where the median of the population lies, by the percentile bootstrap: the samples are drawn again with
// replacement, and the interval holds the middle `confidence` of the medians of these draws. Requires at
// least one sample. A pure function of its arguments. Source: Efron and Tibshirani, An Introduction to the
// Bootstrap (1993), chapter 13.
Interval bootstrap_median(std::span<const double> samples, const BootstrapConfig& config = {});

// The same for median(numerators) / median(denominators) of interleaved samples: the i-th of both were taken
// one after the other, so they are drawn together, and a slow phase of the machine that hits both cancels.
// Requires equally many of both, at least one, and positive denominators.
Interval bootstrap_ratio(std::span<const double> numerators, std::span<const double> denominators,
                         const BootstrapConfig& config = {});

// The same for any statistic of the medians of several groups that were sampled independently: a geometric
// mean of ratios, a ratio of sums. `statistic` gets one median a group, in order. Requires at least one
// group, each with at least one sample, and a statistic that is never NaN.
Interval bootstrap_medians(std::span<const std::vector<double>> groups,
                           const std::function<double(std::span<const double>)>& statistic,
                           const BootstrapConfig& config = {});

}  // namespace convoy::benchkit
