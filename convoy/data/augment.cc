#include "convoy/data/augment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "convoy/base/check.h"
#include "convoy/data/colour.h"

namespace convoy::data {
namespace {

using Kind = AugmentStep::Kind;

// The Gaussian's weights out to four standard deviations, from its centre; they sum to 1 over both sides.
std::vector<float> gaussian(double sigma) {
  const auto radius = static_cast<std::size_t>(std::ceil(4 * sigma));
  std::vector<double> exact(radius + 1);
  double sum = 0;
  for (std::size_t i = 0; i <= radius; ++i) {
    const double z = static_cast<double>(i) / sigma;
    exact[i] = std::exp(-0.5 * z * z);
    sum += i == 0 ? exact[i] : 2 * exact[i];
  }
  std::vector<float> weights;
  for (double w : exact) weights.push_back(static_cast<float>(w / sum));
  return weights;
}

// Smooths rows of `width` values: target[i] = Σ_k kernel[|k|] source[i + k], 0 outside.
void smooth_rows(std::span<const float> source, std::int64_t width, std::span<const float> kernel,
                 std::span<float> target) {
  std::ranges::fill(target, 0.0f);
  const std::int64_t radius = std::min(std::ssize(kernel) - 1, width - 1);
  for (std::int64_t begin = 0; begin < std::ssize(source); begin += width)
    for (std::int64_t k = -radius; k <= radius; ++k) {
      const float weight = kernel[static_cast<std::size_t>(std::abs(k))];
      const float* from = source.data() + begin + k;
      float* to = target.data() + begin;
      const std::int64_t last = width - std::max<std::int64_t>(k, 0);
      for (std::int64_t i = std::max<std::int64_t>(-k, 0); i < last; ++i) to[i] += weight * from[i];
    }
}

// The same down the columns: each row of the target gathers whole rows of the source.
void smooth_columns(std::span<const float> source, std::int64_t width, std::span<const float> kernel,
                    std::span<float> target) {
  std::ranges::fill(target, 0.0f);
  const std::int64_t height = std::ssize(source) / width;
  const std::int64_t radius = std::min(std::ssize(kernel) - 1, height - 1);
  for (std::int64_t row = 0; row < height; ++row)
    for (std::int64_t k = -radius; k <= radius; ++k) {
      if (row + k < 0 || row + k >= height) continue;
      const float weight = kernel[static_cast<std::size_t>(std::abs(k))];
      const float* from = source.data() + (row + k) * width;
      float* to = target.data() + row * width;
      for (std::int64_t i = 0; i < width; ++i) to[i] += weight * from[i];
    }
}

// Uniform on the whole numbers -reach … reach.
std::int64_t whole_offset(double reach, base::RandomStream& random) {
  const auto pixels = static_cast<std::int64_t>(reach);
  return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(2 * pixels + 1))) - pixels;
}

ColourFactors drawn_factors(const AugmentStep& step, base::RandomStream& random) {
  const auto factor = [&](double reach) { return random.uniform(1 - reach, 1 + reach); };
  ColourFactors factors;
  factors.brightness = factor(step.amount);  // drawn in this order
  factors.contrast = factor(step.contrast);
  factors.saturation = factor(step.saturation);
  return factors;
}

}  // namespace

std::optional<CropRange> crop_range(const AugmentConfig& config) {
  if (config.steps.empty() || config.steps[0].kind != Kind::resized_crop) return {};
  return CropRange{config.steps[0].amount, config.steps[0].most};
}

base::Verdict Augmenter::check(const AugmentConfig& config, const tensor::Shape& sample_shape) {
  if (config.steps.empty()) return {};
  const std::string shape = sample_shape.str();
  if (sample_shape.rank() != 3 || sample_shape.count() == 0)
    return base::Reason{fmt::format("augmentation needs images, but a sample is {}", shape)};
  const auto smallest = static_cast<double>(std::min(sample_shape[1], sample_shape[2]));
  for (const AugmentStep& step : config.steps) {
    std::string problem;
    if (step.reflect && step.amount >= smallest)
      problem =
          fmt::format("cannot mirror that much of an image of {}; give at most {}", shape, smallest - 1);
    if (step.kind == Kind::resized_crop && &step != config.steps.data())
      problem = "must come first: it chooses the part of the picture that is read";
    if (step.kind == Kind::jitter && sample_shape[0] != 1 && sample_shape[0] != 3)
      problem = fmt::format("needs grey or RGB images, but a sample is {}", shape);
    if (!problem.empty())
      return base::Reason{fmt::format("augmentation '{}': {}", augment_text(step), problem)};
  }
  return {};
}

Augmenter::Augmenter(AugmentConfig config, const tensor::Shape& sample_shape) : config_(std::move(config)) {
  const base::Verdict verdict = check(config_, sample_shape);
  CONVOY_CHECK(verdict.ok(), verdict.ok() ? std::string() : verdict.reason().text);
  if (config_.steps.empty()) return;
  size_ = {sample_shape[0], sample_shape[1], sample_shape[2]};
  for (const AugmentStep& step : config_.steps)
    kernels_.push_back(step.kind == Kind::elastic ? gaussian(step.sigma) : std::vector<float>());
}

AugmentScratch Augmenter::make_scratch() const {
  if (config_.steps.empty()) return {};
  const auto plane = static_cast<std::size_t>(size_.plane());
  return {std::vector<std::uint8_t>(static_cast<std::size_t>(size_.count())), std::vector<float>(plane),
          std::vector<float>(plane), std::vector<float>(plane)};
}

void Augmenter::apply_shift(const Shift& shift, std::span<std::uint8_t> pixels,
                            AugmentScratch& scratch) const {
  std::ranges::copy(pixels, scratch.image.begin());
  shift_image(scratch.image, size_, shift, pixels);
}

void Augmenter::apply_field(std::span<std::uint8_t> pixels, AugmentScratch& scratch) const {
  std::ranges::copy(pixels, scratch.image.begin());
  resample_image(scratch.image, size_, {scratch.x, scratch.y}, pixels);
}

void Augmenter::fill_elastic(std::size_t step, base::RandomStream& random, AugmentScratch& scratch) const {
  const auto alpha = static_cast<float>(config_.steps[step].amount);
  for (std::vector<float>* field : {&scratch.x, &scratch.y}) {
    for (float& value : *field) value = alpha * (2 * random.uniform() - 1);
    smooth_rows(*field, size_.width, kernels_[step], scratch.smooth);
    smooth_columns(scratch.smooth, size_.width, kernels_[step], *field);
  }
  std::size_t i = 0;
  for (std::int64_t row = 0; row < size_.height; ++row)
    for (std::int64_t column = 0; column < size_.width; ++column, ++i) {
      scratch.x[i] += static_cast<float>(column);
      scratch.y[i] += static_cast<float>(row);
    }
}

void Augmenter::apply(std::span<std::uint8_t> pixels, base::RandomStream& random,
                      AugmentScratch& scratch) const {
  for (std::size_t i = 0; i < config_.steps.size(); ++i) {
    const AugmentStep& step = config_.steps[i];
    switch (step.kind) {
      case Kind::crop:
      case Kind::translate: {
        const std::int64_t down = whole_offset(step.amount, random);
        apply_shift({down, whole_offset(step.amount, random), step.reflect}, pixels, scratch);
        break;
      }
      case Kind::flip:
        if (random.below(2) == 1) flip_image(pixels, size_);
        break;
      case Kind::rotate:
        fill_rotation(size_, random.uniform(-step.amount, step.amount), {scratch.x, scratch.y});
        apply_field(pixels, scratch);
        break;
      case Kind::elastic:
        fill_elastic(i, random, scratch);
        apply_field(pixels, scratch);
        break;
      case Kind::resized_crop:
        break;
      case Kind::jitter:
        change_colours(pixels, size_, drawn_factors(step, random));
        break;
    }
  }
}

}  // namespace convoy::data
