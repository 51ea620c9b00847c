// Minibatches by step number: what a training strategy asks its data for.
#pragma once

#include <cstdint>

#include "convoy/data/dataset.h"
#include "convoy/tensor/batch.h"

namespace convoy::data {

// One thread calls; step numbers count from the start of training, over all epochs.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  // The batch of `step` on this rank, valid until the next call; blocks until it is ready. Steps that
  // increase by one are the common case; any other step restarts what is prefetched. The size is 0 on some
  // ranks where the last minibatch of an epoch is smaller than the number of ranks. Throws what reading the
  // data set throws.
  virtual tensor::Batch batch(std::int64_t step) = 0;

  virtual std::int64_t steps_per_epoch() const = 0;
  virtual const DatasetInfo& info() const = 0;
  // Seconds that the caller has spent in batch() so far.
  virtual double wait_seconds() const = 0;
};

}  // namespace convoy::data
