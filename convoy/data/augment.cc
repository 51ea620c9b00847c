#include "convoy/data/augment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "convoy/base/check.h"

namespace convoy::data {
namespace {

using Kind = AugmentStep::Kind;

constexpr const char* kUsage =
    "crop=PIXELS[:zero|:reflect], flip, translate=PIXELS, rotate=DEGREES, elastic=ALPHA:SIGMA";
constexpr double kLargestShift = 4096, kLargestAlpha = 1e4, kLargestSigma = 64;

// A number between `low` and `high`, a whole one on request; the whole text must be it.
struct Bounds {
  double low;
  double high;
  bool whole = false;
};

std::optional<double> parse_number(std::string_view text, const Bounds& bounds) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  if (!(value >= bounds.low && value <= bounds.high)) return {};
  if (bounds.whole && value != std::floor(value)) return {};
  return value;
}

base::Reason wrong(std::string_view part, std::string_view expected) {
  return {fmt::format("augmentation '{}': {}", part, expected)};
}

// Splits "a=b" at the sign; the second part is empty without one.
std::pair<std::string_view, std::string_view> split_at(std::string_view text, char sign) {
  const std::size_t at = text.find(sign);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

base::Result<AugmentStep> parse_crop(std::string_view part, std::string_view value) {
  const auto [pixels, border] = split_at(value, ':');
  const auto amount = parse_number(pixels, {1, kLargestShift, true});
  const bool bare = value.find(':') == std::string_view::npos;
  if (!amount || !(bare || border == "zero" || border == "reflect"))
    return wrong(part,
                 "give crop=PIXELS, crop=PIXELS:zero or crop=PIXELS:reflect with PIXELS from 1 to 4096");
  return AugmentStep{.kind = Kind::crop, .amount = *amount, .reflect = border == "reflect"};
}

base::Result<AugmentStep> parse_elastic(std::string_view part, std::string_view value) {
  const auto [alpha_text, sigma_text] = split_at(value, ':');
  const auto alpha = parse_number(alpha_text, {1e-3, kLargestAlpha});
  const auto sigma = parse_number(sigma_text, {0.1, kLargestSigma});
  if (!alpha || !sigma)
    return wrong(part, "give elastic=ALPHA:SIGMA, such as elastic=34:4, with SIGMA from 0.1 to 64 pixels");
  return AugmentStep{.kind = Kind::elastic, .amount = *alpha, .sigma = *sigma};
}

base::Result<AugmentStep> parse_step(std::string_view part) {
  const auto [name, value] = split_at(part, '=');
  if (name == "crop") return parse_crop(part, value);
  if (name == "elastic") return parse_elastic(part, value);
  if (name == "flip") {
    if (part != "flip") return wrong(part, "flip takes no value");
    return AugmentStep{.kind = Kind::flip};
  }
  if (name == "translate") {
    const auto amount = parse_number(value, {1, kLargestShift, true});
    if (!amount) return wrong(part, "give translate=PIXELS, a whole number from 1 to 4096");
    return AugmentStep{.kind = Kind::translate, .amount = *amount};
  }
  if (name == "rotate") {
    const auto amount = parse_number(value, {1e-3, 180});
    if (!amount) return wrong(part, "give rotate=DEGREES, above 0 and up to 180");
    return AugmentStep{.kind = Kind::rotate, .amount = *amount};
  }
  return wrong(part, fmt::format("unknown; the known ones are {}", kUsage));
}

std::string step_text(const AugmentStep& step) {
  switch (step.kind) {
    case Kind::crop:
      return fmt::format("crop={}{}", step.amount, step.reflect ? ":reflect" : "");
    case Kind::flip:
      return "flip";
    case Kind::translate:
      return fmt::format("translate={}", step.amount);
    case Kind::rotate:
      return fmt::format("rotate={}", step.amount);
    case Kind::elastic:
      return fmt::format("elastic={}:{}", step.amount, step.sigma);
  }
  return {};
}

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

}  // namespace

base::Result<AugmentConfig> parse_augment(std::string_view text) {
  AugmentConfig config;
  if (text.empty() || text == "none") return config;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    base::Result<AugmentStep> step = parse_step(text.substr(begin, end - begin));
    if (!step) return step.reason();
    config.steps.push_back(*step);
    begin = end + 1;
  }
  return config;
}

std::string augment_text(const AugmentConfig& config) {
  std::string text;
  for (const AugmentStep& step : config.steps) text += (text.empty() ? "" : ",") + step_text(step);
  return text.empty() ? "none" : text;
}

base::Verdict Augmenter::check(const AugmentConfig& config, const tensor::Shape& sample_shape) {
  if (config.steps.empty()) return {};
  if (sample_shape.rank() != 3 || sample_shape.count() == 0)
    return base::Reason{fmt::format("augmentation needs images, but a sample is {}", sample_shape.str())};
  const auto smallest = static_cast<double>(std::min(sample_shape[1], sample_shape[2]));
  for (const AugmentStep& step : config.steps)
    if (step.reflect && step.amount >= smallest)
      return wrong(step_text(step), fmt::format("cannot mirror that much of an image of {}; give at most {}",
                                                sample_shape.str(), smallest - 1));
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
    }
  }
}

}  // namespace convoy::data
