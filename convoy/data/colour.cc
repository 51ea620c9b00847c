#include "convoy/data/colour.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "convoy/base/check.h"

namespace convoy::data {
namespace {

std::uint8_t held(double value) { return static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0) + 0.5); }

// v becomes centre + factor · (v - centre).
void stretch(std::span<std::uint8_t> pixels, double centre, double factor) {
  if (factor == 1) return;
  std::array<std::uint8_t, 256> table;
  for (std::size_t v = 0; v < table.size(); ++v)
    table[v] = held(centre + factor * (static_cast<double>(v) - centre));
  for (std::uint8_t& value : pixels) value = table[value];
}

// The planes of an image.
struct Planes {
  std::uint8_t* red;
  std::uint8_t* green;
  std::uint8_t* blue;
  std::int64_t count;

  int grey(std::int64_t i) const { return (299 * red[i] + 587 * green[i] + 114 * blue[i] + 500) / 1000; }
};

double mean_grey(const Planes& planes) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < planes.count; ++i) sum += planes.grey(i);
  return std::round(static_cast<double>(sum) / static_cast<double>(planes.count));
}

void saturate(const Planes& planes, double factor) {
  if (factor == 1) return;
  const auto f = static_cast<float>(factor);
  const auto changed = [](float value) {
    return static_cast<std::uint8_t>(std::min(std::max(value, 0.0f), 255.0f) + 0.5f);
  };
  for (std::int64_t i = 0; i < planes.count; ++i) {
    const auto grey = static_cast<float>(planes.grey(i));
    for (std::uint8_t* value : {planes.red + i, planes.green + i, planes.blue + i})
      *value = changed(grey + f * (static_cast<float>(*value) - grey));
  }
}

}  // namespace

void change_colours(std::span<std::uint8_t> pixels, const ImageSize& size, const ColourFactors& factors) {
  CONVOY_CHECK((size.channels == 1 || size.channels == 3) && std::ssize(pixels) == size.count(),
               pixels.size(), " values in ", size.channels, " channels");
  const std::int64_t plane = size.plane();
  // Of a grey image all three are the same plane.
  const std::int64_t step = size.channels == 3 ? plane : 0;
  const Planes planes{pixels.data(), pixels.data() + step, pixels.data() + 2 * step, plane};
  stretch(pixels, 0, factors.brightness);
  if (factors.contrast != 1) stretch(pixels, mean_grey(planes), factors.contrast);
  if (size.channels == 3) saturate(planes, factors.saturation);
}

}  // namespace convoy::data
