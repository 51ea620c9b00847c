#include "convoy/data/resample.h"

#include <algorithm>
#include <cmath>

#include "convoy/base/check.h"

namespace convoy::data {
namespace {

constexpr std::int64_t kChannels = 3;

// One axis: target position o covers [begin + o·scale, begin + (o+1)·scale) of `in` inputs.
struct Axis {
  std::int64_t in = 0;
  double begin = 0;
  double scale = 1;

  double reach() const { return std::max(scale, 1.0); }
  std::int64_t most_taps() const { return static_cast<std::int64_t>(std::ceil(2 * reach())) + 1; }
};

// Fills the normalised weights of position o (zeros behind them) and returns the first input they concern.
std::int64_t fill_taps(const Axis& axis, std::int64_t o, std::span<float> weights) {
  const double centre = axis.begin + (static_cast<double>(o) + 0.5) * axis.scale - 0.5;
  const double reach = axis.reach();
  const auto count = std::ssize(weights);
  auto first = static_cast<std::int64_t>(std::floor(centre - reach)) + 1;
  first = std::clamp<std::int64_t>(first, 0, std::max<std::int64_t>(0, axis.in - count));
  double sum = 0;
  const auto weight = [&](std::int64_t tap) {
    if (first + tap >= axis.in) return 0.0;
    return std::max(0.0, 1 - std::abs(static_cast<double>(first + tap) - centre) / reach);
  };
  for (std::int64_t tap = 0; tap < count; ++tap) sum += weight(tap);
  for (std::int64_t tap = 0; tap < count; ++tap)
    weights[static_cast<std::size_t>(tap)] = static_cast<float>(weight(tap) / sum);
  return first;
}

// row[i] = Σ over taps of weight · source[tap · stride + i].
void sum_rows(const std::uint8_t* source, std::int64_t stride, std::span<const float> weights,
              std::span<float> row) {
  const std::size_t count = row.size();
  float* __restrict to = row.data();
  std::fill_n(to, count, 0.0f);
  for (const float weight : weights) {
    const std::uint8_t* __restrict from = source;
    if (weight != 0)
      for (std::size_t i = 0; i < count; ++i) to[i] += weight * static_cast<float>(from[i]);
    source += stride;
  }
}

struct Columns {
  std::int64_t first = 0;  // the first column of the picture that any target pixel needs
  std::int64_t count = 0;
  std::int64_t taps = 0;
};

Columns prepare_columns(const Axis& axis, std::int64_t width, ResampleScratch& scratch) {
  const std::int64_t taps = std::min(axis.most_taps(), axis.in);
  scratch.weights.resize(static_cast<std::size_t>(width * taps));
  scratch.first_column.resize(static_cast<std::size_t>(width));
  for (std::int64_t x = 0; x < width; ++x)
    scratch.first_column[static_cast<std::size_t>(x)] = static_cast<std::int32_t>(
        fill_taps(axis, x,
                  std::span(scratch.weights)
                      .subspan(static_cast<std::size_t>(x * taps), static_cast<std::size_t>(taps))));
  const std::int64_t first = scratch.first_column.front();
  return {first, scratch.first_column.back() + taps - first, taps};
}

std::uint8_t rounded(float value) { return static_cast<std::uint8_t>(value + 0.5f); }

// One row of all three planes.
void resize_row(const Columns& columns, const ResampleScratch& scratch, std::int64_t plane,
                std::uint8_t* target) {
  const float* weight = scratch.weights.data();
  for (const std::int32_t first : scratch.first_column) {
    const float* from = scratch.row.data() + (first - columns.first) * kChannels;
    float red = 0, green = 0, blue = 0;
    for (std::int64_t tap = 0; tap < columns.taps; ++tap, from += kChannels, ++weight) {
      red += *weight * from[0];
      green += *weight * from[1];
      blue += *weight * from[2];
    }
    target[0] = rounded(red);
    target[plane] = rounded(green);
    target[2 * plane] = rounded(blue);
    ++target;
  }
}

}  // namespace

void resample_box(const RgbPicture& picture, const Box& box, const ImageSize& size,
                  std::span<std::uint8_t> target, ResampleScratch& scratch) {
  CONVOY_CHECK(size.channels == kChannels && std::ssize(target) == size.count(), target.size(), " values");
  CONVOY_CHECK(std::ssize(picture.pixels) == picture.height * picture.width * kChannels, picture.width, "x",
               picture.height);
  CONVOY_CHECK(box.height > 0 && box.width > 0, box.width, "x", box.height);
  const Axis down{picture.height, box.top, box.height / static_cast<double>(size.height)};
  const Axis across{picture.width, box.left, box.width / static_cast<double>(size.width)};
  const Columns columns = prepare_columns(across, size.width, scratch);
  scratch.row.resize(static_cast<std::size_t>(columns.count * kChannels));
  scratch.row_weights.resize(static_cast<std::size_t>(std::min(down.most_taps(), picture.height)));
  const std::int64_t stride = picture.width * kChannels;
  for (std::int64_t y = 0; y < size.height; ++y) {
    const std::int64_t first = fill_taps(down, y, scratch.row_weights);
    sum_rows(picture.pixels.data() + first * stride + columns.first * kChannels, stride, scratch.row_weights,
             scratch.row);
    resize_row(columns, scratch, size.plane(), target.data() + y * size.width);
  }
}

}  // namespace convoy::data
