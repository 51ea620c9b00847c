#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

#include "convoy/data/augment.h"

namespace convoy::data {
namespace {

using Kind = AugmentStep::Kind;

constexpr const char* kUsage =
    "resized_crop[=LEAST[:MOST]], crop=PIXELS[:zero|:reflect], flip, translate=PIXELS, rotate=DEGREES, "
    "elastic=ALPHA:SIGMA, jitter=AMOUNT[:CONTRAST:SATURATION]";
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

base::Result<AugmentStep> parse_resized_crop(std::string_view part, std::string_view value) {
  const CropRange standard;
  const auto [least_text, most_text] = split_at(value, ':');
  const bool is_bare = part.find('=') == std::string_view::npos;
  const auto least = is_bare ? standard.least_area : parse_number(least_text, {1e-4, 1});
  const bool has_most = value.find(':') != std::string_view::npos;
  const auto most = has_most ? parse_number(most_text, {1e-4, 1}) : standard.most_area;
  if (!least || !most || *least > *most)
    return wrong(part,
                 "give resized_crop, resized_crop=LEAST or resized_crop=LEAST:MOST, shares of the picture's "
                 "area up to 1, such as resized_crop=0.25");
  return AugmentStep{.kind = Kind::resized_crop, .amount = *least, .most = *most};
}

base::Result<AugmentStep> parse_jitter(std::string_view part, std::string_view value) {
  const auto [brightness_text, others] = split_at(value, ':');
  const auto [contrast_text, saturation_text] = split_at(others, ':');
  const auto brightness = parse_number(brightness_text, {0, 1});
  const bool is_alone = value.find(':') == std::string_view::npos;
  const auto contrast = is_alone ? brightness : parse_number(contrast_text, {0, 1});
  const auto saturation = is_alone ? brightness : parse_number(saturation_text, {0, 1});
  if (!brightness || !contrast || !saturation || *brightness + *contrast + *saturation == 0)
    return wrong(
        part, "give jitter=AMOUNT or jitter=BRIGHTNESS:CONTRAST:SATURATION, each from 0 to 1 and not all 0");
  return AugmentStep{
      .kind = Kind::jitter, .amount = *brightness, .contrast = *contrast, .saturation = *saturation};
}

base::Result<AugmentStep> parse_step(std::string_view part) {
  const auto [name, value] = split_at(part, '=');
  if (name == "crop") return parse_crop(part, value);
  if (name == "elastic") return parse_elastic(part, value);
  if (name == "resized_crop") return parse_resized_crop(part, value);
  if (name == "jitter") return parse_jitter(part, value);
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

}  // namespace

std::string augment_text(const AugmentStep& step) {
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
    case Kind::resized_crop:
      if (step.most == 1) return fmt::format("resized_crop={}", step.amount);
      return fmt::format("resized_crop={}:{}", step.amount, step.most);
    case Kind::jitter:
      return fmt::format("jitter={}:{}:{}", step.amount, step.contrast, step.saturation);
  }
  return {};
}

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
  for (const AugmentStep& step : config.steps) text += (text.empty() ? "" : ",") + augment_text(step);
  return text.empty() ? "none" : text;
}

}  // namespace convoy::data
