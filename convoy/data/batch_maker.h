// Makes the batch of a step: the work of a loader, without its threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/data/augment.h"
#include "convoy/data/loader.h"
#include "convoy/data/sampler.h"
#include "convoy/tensor/batch.h"
#include "convoy/tensor/view.h"

namespace convoy::data {

// Where a batch is made; reused from step to step. Made by BatchMaker::make_buffer.
struct BatchBuffer {
  tensor::Tensor inputs;  // {batch_size, sample shape…}
  std::vector<std::int32_t> labels;
  tensor::Batch batch;  // the part that the step fills
};

// Working memory of one thread. Made by BatchMaker::make_scratch.
struct BatchScratch {
  std::vector<std::int64_t> indices;
  std::vector<std::uint8_t> pixels;
  AugmentScratch augment;
};

// Immutable, so thread-safe with a buffer and a scratch a thread.
class BatchMaker {
 public:
  // Says what is wrong with the configuration for this data set.
  static base::Verdict check(const DatasetInfo& info, const LoaderConfig& config);

  // Requires check(dataset->info(), config).
  BatchMaker(std::shared_ptr<const Dataset> dataset, const LoaderConfig& config);

  BatchBuffer make_buffer() const;
  BatchScratch make_scratch() const;

  // Overwrites `buffer` with the batch of `step`: a pure function of the step. Returns false, the buffer in
  // disorder, where `stop` is requested meanwhile. Throws what Dataset::read throws.
  bool make(std::int64_t step, BatchBuffer& buffer, BatchScratch& scratch, const std::stop_token& stop) const;

  std::int64_t steps_per_epoch() const { return sampler_.steps_per_epoch(); }
  const DatasetInfo& info() const { return dataset_->info(); }

 private:
  // Reads and augments one example, or where `index` is bad the one that stands in for it; kNoLabel where
  // none does.
  std::int32_t read(std::int64_t epoch, std::int64_t index, BatchScratch& scratch) const;
  std::int32_t read_exactly(std::int64_t epoch, std::int64_t index, BatchScratch& scratch) const;
  void normalise(std::span<const std::uint8_t> pixels, float* values) const;

  std::shared_ptr<const Dataset> dataset_;
  Sampler sampler_;
  std::optional<Augmenter> augmenter_;
  std::optional<CropRange> crop_range_;
  std::shared_ptr<BadExamples> bad_;
  bool replaces_bad_;
  std::uint64_t seed_;
  std::int64_t batch_size_;
  std::vector<float> table_;  // {C, 256}: what each value becomes
};

}  // namespace convoy::data
