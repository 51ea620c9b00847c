#include "convoy/data/synthetic_source.h"

#include <string>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/base/rng.h"

namespace convoy::data {
namespace {

class SyntheticSource final : public BatchSource {
 public:
  explicit SyntheticSource(const SyntheticConfig& config)
      : global_size_(config.batch_size * config.world_size),
        inputs_(tensor::DType::f32, batch_shape(config)),
        labels_(static_cast<std::size_t>(config.batch_size)) {
    base::RandomStream random(config.seed, base::Purpose::test, 0, static_cast<std::uint64_t>(config.rank));
    for (float& value : inputs_.as<float>()) value = static_cast<float>(random.normal());
    for (std::int32_t& label : labels_)
      label = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(config.classes)));
    info_.name = "synthetic";
    info_.sample_shape = config.sample_shape;
    info_.size = global_size_;
    for (std::int64_t i = 0; i < config.classes; ++i) info_.class_names.push_back(std::to_string(i));
    const auto channels = static_cast<std::size_t>(config.sample_shape[0]);
    info_.mean.assign(channels, 0.0f);
    info_.stddev.assign(channels, 1.0f);
  }

  tensor::Batch batch(std::int64_t step) override {
    CONVOY_CHECK(step >= 0, "step = ", step);
    return {inputs_.view(), labels_, std::ssize(labels_), global_size_};
  }
  std::int64_t steps_per_epoch() const override { return 1; }
  const DatasetInfo& info() const override { return info_; }
  double wait_seconds() const override { return 0; }

 private:
  static tensor::Shape batch_shape(const SyntheticConfig& config) {
    std::vector<std::int64_t> sizes{config.batch_size};
    sizes.insert(sizes.end(), config.sample_shape.begin(), config.sample_shape.end());
    return tensor::Shape(std::move(sizes));
  }

  DatasetInfo info_;
  std::int64_t global_size_;
  tensor::Tensor inputs_;
  std::vector<std::int32_t> labels_;
};

}  // namespace

std::unique_ptr<BatchSource> make_synthetic_source(const SyntheticConfig& config) {
  if (config.batch_size < 1 || config.classes < 1 || config.sample_shape.rank() < 1 ||
      config.sample_shape.count() < 1)
    throw base::UsageError(base::str("synthetic data: ", config.batch_size, " samples of ",
                                     config.sample_shape.str(), " in ", config.classes,
                                     " classes; give sizes of 1 or more"));
  CONVOY_CHECK(config.world_size >= 1 && config.rank >= 0 && config.rank < config.world_size);
  return std::make_unique<SyntheticSource>(config);
}

}  // namespace convoy::data
