#include "convoy/data/crop.h"

#include <algorithm>
#include <cmath>

#include "convoy/base/check.h"

namespace convoy::data {
namespace {

constexpr int kAttempts = 10;
constexpr double kWidest = 4.0 / 3.0;  // width over height; the narrowest is its inverse

std::int64_t whole_place(std::int64_t room, base::RandomStream& random) {
  return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(room + 1)));
}

}  // namespace

Box random_crop(std::int64_t height, std::int64_t width, const CropRange& range, base::RandomStream& random) {
  CONVOY_CHECK(height >= 1 && width >= 1, width, "x", height);
  const double pixels = static_cast<double>(height) * static_cast<double>(width);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double area = pixels * random.uniform(range.least_area, range.most_area);
    const double ratio = std::exp(random.uniform(-std::log(kWidest), std::log(kWidest)));
    const std::int64_t w = std::llround(std::sqrt(area * ratio));
    const std::int64_t h = std::llround(std::sqrt(area / ratio));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const std::int64_t top = whole_place(height - h, random);
    return {static_cast<double>(top), static_cast<double>(whole_place(width - w, random)),
            static_cast<double>(h), static_cast<double>(w)};
  }
  const auto full_width = static_cast<double>(width), full_height = static_cast<double>(height);
  const double w = std::max(1.0, std::floor(std::min(full_width, full_height * kWidest)));
  const double h = std::max(1.0, std::floor(std::min(full_height, full_width * kWidest)));
  return {std::floor((full_height - h) / 2), std::floor((full_width - w) / 2), h, w};
}

Box centre_crop(std::int64_t height, std::int64_t width, const ImageSize& sample, double share) {
  CONVOY_CHECK(height >= 1 && width >= 1 && share > 0 && share <= 1, width, "x", height, ", ", share);
  const auto full_height = static_cast<double>(height), full_width = static_cast<double>(width);
  if (height == sample.height && width == sample.width) return {0, 0, full_height, full_width};
  const double ratio = static_cast<double>(sample.width) / static_cast<double>(sample.height);
  const double h = share * std::min(full_height, full_width / ratio);
  const double w = share * std::min(full_width, full_height * ratio);
  return {(full_height - h) / 2, (full_width - w) / 2, h, w};
}

}  // namespace convoy::data
