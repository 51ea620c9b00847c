#include "convoy/data/warp.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>

#include "convoy/base/check.h"

namespace convoy::data {
namespace {

// The index that position i takes in a line mirrored about its end points; |i| may exceed the line once.
std::int64_t mirrored(std::int64_t i, std::int64_t length) {
  if (i < 0) return -i;
  return i < length ? i : 2 * (length - 1) - i;
}

void shift_plane(const std::uint8_t* source, const ImageSize& size, const Shift& shift,
                 std::uint8_t* target) {
  for (std::int64_t y = 0; y < size.height; ++y, target += size.width) {
    std::int64_t from = y - shift.down;
    if (shift.reflect) from = mirrored(from, size.height);
    if (from < 0 || from >= size.height) {
      std::fill_n(target, size.width, std::uint8_t{0});
      continue;
    }
    const std::uint8_t* line = source + from * size.width;
    const std::int64_t begin = std::clamp<std::int64_t>(shift.right, 0, size.width);
    const std::int64_t end = std::clamp<std::int64_t>(size.width + shift.right, 0, size.width);
    const auto outside = [&](std::int64_t x) {
      return shift.reflect ? line[mirrored(x - shift.right, size.width)] : std::uint8_t{0};
    };
    for (std::int64_t x = 0; x < begin; ++x) target[x] = outside(x);
    if (begin < end) std::copy_n(line + begin - shift.right, end - begin, target + begin);
    for (std::int64_t x = std::max(begin, end); x < size.width; ++x) target[x] = outside(x);
  }
}

float at_or_zero(const std::uint8_t* plane, const ImageSize& size, std::int64_t x, std::int64_t y) {
  if (x < 0 || y < 0 || x >= size.width || y >= size.height) return 0;
  return plane[y * size.width + x];
}

std::uint8_t bilinear(const std::uint8_t* plane, const ImageSize& size, float x, float y) {
  if (!(x > -1 && y > -1 && x < static_cast<float>(size.width) && y < static_cast<float>(size.height)))
    return 0;
  const auto x0 = static_cast<std::int64_t>(x + 1) - 1, y0 = static_cast<std::int64_t>(y + 1) - 1;
  const float u = x - static_cast<float>(x0), v = y - static_cast<float>(y0);
  const auto blend = [&](float upper_left, float upper_right, float lower_left, float lower_right) {
    const float upper = (1 - u) * upper_left + u * upper_right;
    const float lower = (1 - u) * lower_left + u * lower_right;
    return static_cast<std::uint8_t>((1 - v) * upper + v * lower + 0.5f);
  };
  if (x0 >= 0 && y0 >= 0 && x0 + 1 < size.width && y0 + 1 < size.height) {  // nearly always
    const std::uint8_t* at = plane + y0 * size.width + x0;
    return blend(at[0], at[1], at[size.width], at[size.width + 1]);
  }
  return blend(at_or_zero(plane, size, x0, y0), at_or_zero(plane, size, x0 + 1, y0),
               at_or_zero(plane, size, x0, y0 + 1), at_or_zero(plane, size, x0 + 1, y0 + 1));
}

void check_pair(std::span<const std::uint8_t> source, const ImageSize& size, std::span<std::uint8_t> target) {
  CONVOY_CHECK(std::ssize(source) == size.count() && std::ssize(target) == size.count(), source.size(),
               " and ", target.size(), " values for an image of ", size.count());
}

}  // namespace

void shift_image(std::span<const std::uint8_t> source, const ImageSize& size, const Shift& shift,
                 std::span<std::uint8_t> target) {
  check_pair(source, size, target);
  CONVOY_CHECK(!shift.reflect || (std::abs(shift.down) < size.height && std::abs(shift.right) < size.width),
               "reflecting a shift of ", shift.down, ", ", shift.right, " in ", size.height, "x", size.width);
  for (std::int64_t c = 0; c < size.channels; ++c)
    shift_plane(source.data() + c * size.plane(), size, shift, target.data() + c * size.plane());
}

void flip_image(std::span<std::uint8_t> pixels, const ImageSize& size) {
  CONVOY_CHECK(std::ssize(pixels) == size.count(), pixels.size(), " values for ", size.count());
  for (std::uint8_t* line = pixels.data(); line < pixels.data() + size.count(); line += size.width)
    std::reverse(line, line + size.width);
}

void fill_rotation(const ImageSize& size, double degrees, const Field& field) {
  const double angle = degrees * std::numbers::pi / 180;
  const auto cosine = static_cast<float>(std::cos(angle)), sine = static_cast<float>(std::sin(angle));
  const float centre_x = 0.5f * static_cast<float>(size.width - 1);
  const float centre_y = 0.5f * static_cast<float>(size.height - 1);
  std::size_t i = 0;
  for (std::int64_t row = 0; row < size.height; ++row)
    for (std::int64_t column = 0; column < size.width; ++column, ++i) {
      const float x = static_cast<float>(column) - centre_x, y = static_cast<float>(row) - centre_y;
      field.x[i] = centre_x + cosine * x - sine * y;
      field.y[i] = centre_y + sine * x + cosine * y;
    }
}

void resample_image(std::span<const std::uint8_t> source, const ImageSize& size, const Field& field,
                    std::span<std::uint8_t> target) {
  check_pair(source, size, target);
  CONVOY_CHECK(std::ssize(field.x) == size.plane() && std::ssize(field.y) == size.plane());
  for (std::int64_t c = 0; c < size.channels; ++c) {
    const std::uint8_t* from = source.data() + c * size.plane();
    std::uint8_t* to = target.data() + c * size.plane();
    for (std::size_t i = 0; i < field.x.size(); ++i) to[i] = bilinear(from, size, field.x[i], field.y[i]);
  }
}

}  // namespace convoy::data
