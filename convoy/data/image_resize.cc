#include <algorithm>
#include <cmath>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/image_codecs.h"

namespace convoy::data {
namespace {

// What one output position takes from an axis: weights, summing to 1, of inputs first, first + 1, …
struct Taps {
  std::int64_t first = 0;
  std::vector<float> weights;
};

// Output position o of `out` over `in` inputs covers [o·in/out, (o+1)·in/out): its average.
Taps area_taps(std::int64_t in, std::int64_t out, std::int64_t o) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double begin = static_cast<double>(o) * scale, end = static_cast<double>(o + 1) * scale;
  Taps taps{.first = static_cast<std::int64_t>(begin), .weights = {}};
  for (std::int64_t i = taps.first; i < in && static_cast<double>(i) < end; ++i) {
    const double covered =
        std::min(end, static_cast<double>(i + 1)) - std::max(begin, static_cast<double>(i));
    taps.weights.push_back(static_cast<float>(covered / scale));
  }
  return taps;
}

// The centre of o lies at (o + 1/2)·in/out - 1/2 between input centres; beyond the outer ones they repeat.
Taps linear_taps(std::int64_t in, std::int64_t out, std::int64_t o) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double at =
      std::clamp((static_cast<double>(o) + 0.5) * scale - 0.5, 0.0, static_cast<double>(in - 1));
  const auto first = static_cast<std::int64_t>(at);
  const auto part = static_cast<float>(at - static_cast<double>(first));
  if (first + 1 >= in) return {.first = first, .weights = {1.0f}};
  return {.first = first, .weights = {1.0f - part, part}};
}

std::vector<Taps> make_taps(std::int64_t in, std::int64_t out) {
  std::vector<Taps> taps;
  for (std::int64_t o = 0; o < out; ++o)
    taps.push_back(in > out ? area_taps(in, out, o) : linear_taps(in, out, o));
  return taps;
}

// Resizes the middle axis of {outer, in, inner}, where taps.size() is the new size.
std::vector<float> resize_axis(const std::vector<float>& values, std::int64_t in, std::int64_t inner,
                               const std::vector<Taps>& taps) {
  const std::int64_t outer = std::ssize(values) / (in * inner);
  const std::int64_t out = std::ssize(taps);
  std::vector<float> result(static_cast<std::size_t>(outer * out * inner));
  for (std::int64_t a = 0; a < outer; ++a)
    for (std::int64_t o = 0; o < out; ++o) {
      const Taps& tap = taps[static_cast<std::size_t>(o)];
      float* to = result.data() + (a * out + o) * inner;
      for (std::size_t k = 0; k < tap.weights.size(); ++k) {
        const float* from = values.data() + (a * in + tap.first + static_cast<std::int64_t>(k)) * inner;
        for (std::int64_t i = 0; i < inner; ++i) to[i] += tap.weights[k] * from[i];
      }
    }
  return result;
}

}  // namespace

Image with_channels(const Image& image, std::int64_t channels) {
  if (image.channels == channels) return image;
  Image result{.channels = channels, .height = image.height, .width = image.width, .pixels = {}};
  const std::size_t plane = image.pixels.size() / static_cast<std::size_t>(image.channels);
  if (channels == 3) {
    for (int c = 0; c < 3; ++c)
      result.pixels.insert(result.pixels.end(), image.pixels.begin(), image.pixels.end());
    return result;
  }
  result.pixels.resize(plane);
  for (std::size_t i = 0; i < plane; ++i) {
    const int red = image.pixels[i], green = image.pixels[plane + i], blue = image.pixels[2 * plane + i];
    result.pixels[i] = static_cast<std::uint8_t>((299 * red + 587 * green + 114 * blue + 500) / 1000);
  }
  return result;
}

Image fit_image(const Image& image, const tensor::Shape& sample_shape) {
  if (sample_shape.rank() != 3 || (sample_shape[0] != 1 && sample_shape[0] != 3) || sample_shape[1] < 1 ||
      sample_shape[2] < 1)
    throw base::UsageError("pictures fit samples of shape 1xHxW or 3xHxW, not " + sample_shape.str());
  Image result = with_channels(image, sample_shape[0]);
  const std::int64_t height = sample_shape[1], width = sample_shape[2];
  if (result.height == height && result.width == width) return result;
  std::vector<float> values(result.pixels.begin(), result.pixels.end());
  values = resize_axis(values, result.height, result.width, make_taps(result.height, height));
  values = resize_axis(values, result.width, 1, make_taps(result.width, width));
  result.height = height;
  result.width = width;
  result.pixels.clear();
  for (const float value : values)
    result.pixels.push_back(static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L)));
  return result;
}

}  // namespace convoy::data
