#include "convoy/data/batch_maker.h"

#include <cmath>
#include <string>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/base/rng.h"

namespace convoy::data {
namespace {

constexpr std::size_t kValues = 256;
constexpr std::int32_t kNoLabel = -1;

SamplerConfig sampler_config(const DatasetInfo& info, const LoaderConfig& config) {
  return {.size = info.size,
          .seed = config.seed,
          .shuffle = config.shuffle,
          .batch_size = config.batch_size,
          .rank = config.rank,
          .world_size = config.world_size,
          .keep_last = config.keep_last};
}

const std::vector<float>& chosen(const std::vector<float>& own, const std::vector<float>& default_) {
  return own.empty() ? default_ : own;
}

tensor::Shape batch_shape(std::int64_t size, const tensor::Shape& sample_shape) {
  std::vector<std::int64_t> sizes{size};
  sizes.insert(sizes.end(), sample_shape.begin(), sample_shape.end());
  return tensor::Shape(std::move(sizes));
}

base::Verdict check_normalisation(const DatasetInfo& info, const LoaderConfig& config) {
  const std::vector<float>& mean = chosen(config.mean, info.mean);
  const std::vector<float>& stddev = chosen(config.stddev, info.stddev);
  const std::int64_t channels = info.sample_shape[0];
  if (std::ssize(mean) != channels || std::ssize(stddev) != channels)
    return base::Reason{base::str(info.name, ": ", mean.size(), " means and ", stddev.size(),
                                  " standard deviations for ", channels, " channels")};
  for (std::size_t c = 0; c < mean.size(); ++c)
    if (!std::isfinite(mean[c]) || !(stddev[c] > 0) || !std::isfinite(stddev[c]))
      return base::Reason{base::str(info.name, ": mean ", mean[c], " and standard deviation ", stddev[c],
                                    " of channel ", c, " cannot normalise")};
  return {};
}

}  // namespace

base::Verdict BatchMaker::check(const DatasetInfo& info, const LoaderConfig& config) {
  CONVOY_CHECK(info.sample_shape.rank() >= 1, info.name, " has scalar samples");
  if (config.workers < 0 || config.workers > 1024)
    return base::Reason{base::str(config.workers, " loader threads: give 0 … 1024")};
  if (config.prefetch_batches < 1 || config.prefetch_batches > 65536)
    return base::Reason{base::str(config.prefetch_batches, " batches to prefetch: give 1 … 65536")};
  if (!(config.timeout_seconds > 0 && config.timeout_seconds <= 1e6))
    return base::Reason{base::str("a time-out of ", config.timeout_seconds, " s: give up to 1e6")};
  if (base::Verdict verdict = Sampler::check(sampler_config(info, config)); !verdict)
    return base::Reason{info.name + ": " + verdict.reason().text};
  if (base::Verdict verdict = check_normalisation(info, config); !verdict) return verdict;
  if (!config.augment.steps.empty() && info.size >= (std::int64_t{1} << 32))
    return base::Reason{info.name + ": augmentation serves data sets below 2^32 examples"};
  if (crop_range(config.augment) && !info.crops)
    return base::Reason{info.name +
                        ": has pictures of one size, of which resized_crop takes no part; use crop=PIXELS"};
  return Augmenter::check(config.augment, info.sample_shape);
}

BatchMaker::BatchMaker(std::shared_ptr<const Dataset> dataset, const LoaderConfig& config)
    : dataset_(std::move(dataset)),
      sampler_(sampler_config(dataset_->info(), config)),
      crop_range_(crop_range(config.augment)),
      bad_(config.bad),
      replaces_bad_(!config.one_epoch),
      seed_(config.seed),
      batch_size_(config.batch_size) {
  const DatasetInfo& info = dataset_->info();
  if (!config.augment.steps.empty()) augmenter_.emplace(config.augment, info.sample_shape);
  const std::vector<float>& mean = chosen(config.mean, info.mean);
  const std::vector<float>& stddev = chosen(config.stddev, info.stddev);
  for (std::size_t c = 0; c < mean.size(); ++c)
    for (std::size_t value = 0; value < kValues; ++value)
      table_.push_back(
          static_cast<float>((static_cast<double>(value) / 255.0 - double{mean[c]}) / double{stddev[c]}));
}

BatchBuffer BatchMaker::make_buffer() const {
  return {tensor::Tensor(tensor::DType::f32, batch_shape(batch_size_, info().sample_shape)),
          std::vector<std::int32_t>(static_cast<std::size_t>(batch_size_)),
          {}};
}

BatchScratch BatchMaker::make_scratch() const {
  return {std::vector<std::int64_t>(static_cast<std::size_t>(batch_size_)),
          std::vector<std::uint8_t>(static_cast<std::size_t>(info().sample_shape.count())),
          augmenter_ ? augmenter_->make_scratch() : AugmentScratch{}};
}

// A table of what each of the 256 values becomes costs one load a pixel, and its entries are rounded once,
// from double, whatever the compiler does with the loop.
void BatchMaker::normalise(std::span<const std::uint8_t> pixels, float* values) const {
  const std::size_t plane = pixels.size() * kValues / table_.size();
  const std::uint8_t* from = pixels.data();
  for (const float* row = table_.data(); row != table_.data() + table_.size(); row += kValues)
    for (std::size_t i = 0; i < plane; ++i) *values++ = row[*from++];
}

std::int32_t BatchMaker::read_exactly(std::int64_t epoch, std::int64_t index, BatchScratch& scratch) const {
  if (!augmenter_) return dataset_->read(index, scratch.pixels);
  base::RandomStream random(seed_, base::Purpose::augment, static_cast<std::uint64_t>(epoch),
                            static_cast<std::uint64_t>(index));
  const std::int32_t label = crop_range_ ? dataset_->read_crop(index, *crop_range_, random, scratch.pixels)
                                         : dataset_->read(index, scratch.pixels);
  augmenter_->apply(scratch.pixels, random, scratch.augment);
  return label;
}

std::int32_t BatchMaker::read(std::int64_t epoch, std::int64_t index, BatchScratch& scratch) const {
  for (std::int64_t tries = 0; tries < info().size; ++tries) {
    try {
      const std::int32_t label = read_exactly(epoch, index, scratch);
      CONVOY_CHECK(label >= 0 && label < std::ssize(info().class_names), info().name, ": label ", label,
                   " at ", index);
      return label;
    } catch (const base::InputError& problem) {
      if (!bad_) throw;
      bad_->add(info().name, index, problem);
    }
    if (!replaces_bad_) return kNoLabel;
    index = (index + 1) % info().size;
  }
  throw base::InputError(info().name, "none of its examples can be read");
}

bool BatchMaker::make(std::int64_t step, BatchBuffer& buffer, BatchScratch& scratch,
                      const std::stop_token& stop) const {
  const StepSamples samples = sampler_.at(step);
  const std::span<std::int64_t> indices =
      std::span(scratch.indices).first(static_cast<std::size_t>(samples.count));
  sampler_.indices(samples, indices);
  float* values = buffer.inputs.as<float>().data();
  std::size_t count = 0;
  for (const std::int64_t index : indices) {
    if (stop.stop_requested()) return false;
    const std::int32_t label = read(samples.epoch, index, scratch);
    if (label == kNoLabel) continue;
    normalise(scratch.pixels, values);
    values += scratch.pixels.size();
    buffer.labels[count++] = label;
  }
  const auto size = static_cast<std::int64_t>(count);
  if (buffer.batch.size != size || buffer.batch.inputs.empty())
    buffer.batch.inputs = tensor::ConstView(buffer.inputs.view().data(), tensor::DType::f32,
                                            batch_shape(size, info().sample_shape));
  buffer.batch.labels = std::span(buffer.labels).first(count);
  buffer.batch.size = size;
  buffer.batch.global_size = samples.global_count - (samples.count - size);
  return true;
}

}  // namespace convoy::data
