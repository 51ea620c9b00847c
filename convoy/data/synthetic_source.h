// Random data that costs nothing to load, for benchmarks.
#pragma once

#include <cstdint>
#include <memory>

#include "convoy/data/batch_source.h"
#include "convoy/tensor/shape.h"

namespace convoy::data {

struct SyntheticConfig {
  tensor::Shape sample_shape = {};
  std::int64_t classes = 10;
  std::int64_t batch_size = 64;  // of this rank
  std::uint64_t seed = 1;
  int rank = 0;  // each rank has its own batch
  int world_size = 1;
};

// The same batch at every step: inputs normal (mean 0, variance 1), classes uniform. A pure function of the
// configuration. steps_per_epoch() is 1. Throws UsageError for sizes below 1.
std::unique_ptr<BatchSource> make_synthetic_source(const SyntheticConfig& config);

}  // namespace convoy::data
