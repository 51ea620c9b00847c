#include "convoy/benchkit/statistics.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/base/rng.h"

namespace convoy::benchkit {
namespace {

// Sorts as much of `samples` as it needs.
double take_median(std::vector<double>& samples) {
  const auto middle = samples.begin() + std::ssize(samples) / 2;
  std::nth_element(samples.begin(), middle, samples.end());
  if (samples.size() % 2 == 1) return *middle;
  return (*std::max_element(samples.begin(), middle) + *middle) / 2;
}

// The middle `confidence` of the values.
Interval middle_part(std::vector<double> values, double confidence) {
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  const auto at = [&](double rank) { return values[static_cast<std::size_t>(std::lround(rank))]; };
  const double tail = (1 - confidence) / 2;
  return {at(tail * last), at((1 - tail) * last)};
}

void check(std::size_t count, const BootstrapConfig& config) {
  CONVOY_CHECK(count >= 1 && config.resamples >= 1 && config.confidence > 0 && config.confidence < 1, count,
               " samples, ", config.resamples, " resamples, confidence ", config.confidence);
}

// Calls use(indices) for each resample, with as many indices below `count`, drawn with replacement.
template <class Use>
void resample(std::size_t count, const BootstrapConfig& config, Use&& use) {
  check(count, config);
  std::vector<std::size_t> indices(count);
  for (int r = 0; r < config.resamples; ++r) {
    base::RandomStream random(config.seed, base::Purpose::test, static_cast<std::uint64_t>(r), 0);
    for (std::size_t& index : indices) index = random.below(count);
    use(indices);
  }
}

}  // namespace

double median(std::span<const double> samples) {
  CONVOY_CHECK(!samples.empty(), "no samples");
  std::vector<double> copy(samples.begin(), samples.end());
  return take_median(copy);
}

Interval bootstrap_median(std::span<const double> samples, const BootstrapConfig& config) {
  std::vector<double> medians, drawn(samples.size());
  resample(samples.size(), config, [&](const std::vector<std::size_t>& indices) {
    std::transform(indices.begin(), indices.end(), drawn.begin(), [&](std::size_t i) { return samples[i]; });
    medians.push_back(take_median(drawn));
  });
  return middle_part(std::move(medians), config.confidence);
}

Interval bootstrap_ratio(std::span<const double> numerators, std::span<const double> denominators,
                         const BootstrapConfig& config) {
  CONVOY_CHECK(numerators.size() == denominators.size(), numerators.size(), " numerators, ",
               denominators.size(), " denominators");
  CONVOY_CHECK(std::all_of(denominators.begin(), denominators.end(), [](double v) { return v > 0; }),
               "a denominator is not positive");
  std::vector<double> ratios, top(numerators.size()), bottom(numerators.size());
  resample(numerators.size(), config, [&](const std::vector<std::size_t>& indices) {
    for (std::size_t k = 0; k < indices.size(); ++k) {
      top[k] = numerators[indices[k]];
      bottom[k] = denominators[indices[k]];
    }
    ratios.push_back(take_median(top) / take_median(bottom));
  });
  return middle_part(std::move(ratios), config.confidence);
}

Interval bootstrap_medians(std::span<const std::vector<double>> groups,
                           const std::function<double(std::span<const double>)>& statistic,
                           const BootstrapConfig& config) {
  check(groups.size(), config);
  std::vector<double> values, medians(groups.size()), drawn;
  for (int r = 0; r < config.resamples; ++r) {
    base::RandomStream random(config.seed, base::Purpose::test, static_cast<std::uint64_t>(r), 0);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      CONVOY_CHECK(!groups[g].empty(), "group ", g, " has no samples");
      drawn.resize(groups[g].size());
      for (double& sample : drawn) sample = groups[g][random.below(groups[g].size())];
      medians[g] = take_median(drawn);
    }
    values.push_back(statistic(medians));
  }
  return middle_part(std::move(values), config.confidence);
}

}  // namespace convoy::benchkit
