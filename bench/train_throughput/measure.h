// Convoy and its peer, measured in turn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/train_throughput/options.h"
#include "convoy/benchkit/statistics.h"
#include "convoy/benchkit/step_bench.h"

namespace convoy::bench {

// Images/s of one side: one sample a repetition, batch / median of the seconds of its steps.
struct Side {
  std::vector<double> samples;
  double best = 0;       // batch / seconds of the fastest step of all
  std::string settings;  // "2 threads", "nhwc, 2 threads"
  std::int64_t peak_memory_bytes = 0;

  double median() const;
};

struct CaseResult {
  Case which;
  Side convoy;
  std::optional<Side> peer;
  benchkit::TimeShares shares;
  double flops_per_image = 0;
  double peak_flops = 0;  // median of probes beside the repetitions, at the threads asked for
  std::string plan;
  std::string peer_version;

  double ratio() const;  // of the medians
  benchkit::Interval ratio_interval() const;
  // The bar is met by the lower end of the interval.
  bool holds() const;
  double peak_share() const;    // of Convoy's median
  double memory_share() const;  // of the peer's
  bool fits_memory() const { return peer && memory_share() <= which.memory_bar; }
};

// Runs the repetitions of one case. Throws base::Error.
CaseResult measure_case(const Case& which, const Options& options);

// Trains the case for a moment, as measure_case does, and returns this process's peak memory: to be called in
// a process that does nothing else.
std::int64_t memory_of_case(const Case& which, const Options& options);

}  // namespace convoy::bench
