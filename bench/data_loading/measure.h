// The loader, a bare decoder, and training with and without the loader, in turn.
#pragma once

#include <optional>
#include <vector>

#include "bench/data_loading/options.h"
#include "convoy/benchkit/statistics.h"

namespace convoy::bench {

// Images/s, one sample a repetition; the i-th of both sides were taken one after the other.
struct Rates {
  std::vector<double> first, second;

  double ratio() const;  // of the medians, first over second
  benchkit::Interval interval() const;
};

struct LoadingResult {
  Rates loading;                  // the loader, the bare decoder
  std::optional<Rates> training;  // from the data, from a synthetic batch
  double wait_share = 0;          // of the time of training from the data
  std::int64_t set_size = 0;
};

// Throws base::Error.
LoadingResult measure_loading(const LoadingOptions& options);

}  // namespace convoy::bench
