// Feeds training from a data set: order, augmentation, normalisation, prefetching.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "convoy/data/augment.h"
#include "convoy/data/bad_examples.h"
#include "convoy/data/batch_source.h"
#include "convoy/data/dataset.h"

namespace convoy::data {

struct LoaderConfig {
  std::int64_t batch_size = 64;  // of this rank
  std::uint64_t seed = 1;        // of the order and of the augmentation
  bool shuffle = true;
  bool keep_last = true;   // see SamplerConfig
  bool one_epoch = false;  // batch() may be asked for steps below steps_per_epoch() only
  int rank = 0;
  int world_size = 1;
  AugmentConfig augment = {};
  std::vector<float> mean = {};  // per channel; empty: the data set's own
  std::vector<float> stddev = {};
  int workers = 1;               // threads that prepare batches; 0: batch() prepares them itself
  int prefetch_batches = 4;      // prepared ahead, beside the one in use
  double timeout_seconds = 600;  // for one batch to arrive, then batch() throws
  // Where examples that cannot be read are noted; null: each is an error.
  std::shared_ptr<BadExamples> bad = nullptr;
};

// Batches of `dataset`: inputs {N, C, H, W} float32, (value / 255 - mean) / stddev, in the order of Sampler;
// what augmentation draws is keyed by (seed, epoch, index in the data set). So the numbers depend on seed
// and step alone: not on workers, prefetching or restarts, and the ranks of a step together have those of one
// rank with a batch world_size times larger.
// Memory: prefetch_batches + 1 batches in a ring that is allocated here; none grows with the data set.
// Threads: `workers` of its own, stopped and joined at destruction, which waits for the samples being read.
// An example that cannot be read (InputError) and that config.bad passes over is replaced by the next of the
// data set that can, so a batch keeps its size and stays a function of seed and step; with one_epoch it is
// left out and the batch is smaller. batch() rethrows what a worker's read threw, at the step it concerns,
// and may be called again after it. Throws UsageError, with the reason, for a configuration that does not fit
// the data set.
std::unique_ptr<BatchSource> make_loader(std::shared_ptr<const Dataset> dataset, const LoaderConfig& config);

// One pass over `dataset` in its own order, every sample once, nothing augmented: steps 0 to
// steps_per_epoch() - 1, and again from 0 for the next evaluation. Batch size, ranks, normalisation and
// workers are those of `training`.
std::unique_ptr<BatchSource> make_evaluation_source(std::shared_ptr<const Dataset> dataset,
                                                    const LoaderConfig& training);

}  // namespace convoy::data
