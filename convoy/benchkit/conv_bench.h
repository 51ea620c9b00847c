// Every algorithm of the catalog on one convolution: how fast, how exact, how large.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/benchkit/conv_problem.h"
#include "convoy/benchkit/statistics.h"
#include "convoy/kernels/catalog.h"
#include "convoy/machine/machine.h"

namespace convoy::benchkit {

// An entry that is predicted to take so many times as long as a hopeless one is not tried at all.
inline constexpr double kHopelessPrediction = 2.5;

struct ConvBenchConfig {
  int threads = 1;
  machine::Machine machine;  // for the predictions
  bool training = true;      // forward: false lets entries keep what they derive from the filters
  std::int64_t workspace_limit_bytes = std::numeric_limits<std::int64_t>::max();
  // Names of entries; empty: all but the float64 reference.
  std::vector<std::string> algorithms = {};
  // An entry is timed until it has so many samples and so many seconds, or `most_seconds`.
  int repetitions = 5;
  double seconds = 0.06;
  double most_seconds = 1;
  // An entry whose first calls take more than so many times the fastest's is hopeless and timed no further;
  // 0: none is. Names in `always` are spared.
  double hopeless = 4;
  std::vector<std::string> always = {};
};

// One entry of the catalog on one problem and pass.
struct ConvMeasurement {
  std::string algorithm;
  std::string refusal;    // why it was not measured; all below is empty then
  bool hopeless = false;  // not refused, but predicted to be too slow to be tried
  kernels::LayoutFamily family = kernels::LayoutFamily::plain;
  std::string implementation;
  std::vector<double> seconds;  // of one call, one a sample: the mean over as many calls as fill 0.2 ms
  double flops = 0;             // by the definition
  double predicted_seconds = 0;
  double relative_error = 0;  // ConvError::relative
  double rms_error = 0;       // ConvError::rms
  // ConvError::epsilons over the entry's error_growth. Its unit is the element's own terms, so of entries of
  // ErrorTerms::whole_maps, whose bound is in larger ones, it is no less than the share of the bound.
  double share_of_bound = 0;
  std::int64_t workspace_bytes = 0;  // with what it derives from the filters
  bool winner = false;               // the least median of all

  bool measured() const { return refusal.empty(); }
  double median_seconds() const { return median(seconds); }
  double best_seconds() const;
  double flops_per_second() const { return flops / median_seconds(); }
  // Predicted over measured, less 1.
  double prediction_error() const { return predicted_seconds / median_seconds() - 1; }
};

// Entries for Conv, by catalog order. Pointers into kernels::catalog().
std::vector<const kernels::KernelEntry*> conv_entries();

// Whether the entry serves the problem in any family of layouts; if not, why.
base::Verdict conv_support(const kernels::KernelEntry& entry, const ConvProblem& problem, kernels::Pass pass,
                           bool training = true);

// Measures every entry that supports the problem, each in the family of layouts that suits it best, without
// conversions, one call after the other in turn, and marks the winner. Entries that cannot serve the problem
// come with their reason. Sets base's thread count. Requires problem.check() and, if any, known `algorithms`.
std::vector<ConvMeasurement> bench_conv(const ConvProblem& problem, kernels::Pass pass,
                                        const ConvBenchConfig& config);

}  // namespace convoy::benchkit
