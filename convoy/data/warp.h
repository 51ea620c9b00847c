// Moving the pixels of 8-bit images: the parts of augmentation that know no chance.
#pragma once

#include <cstdint>
#include <span>

namespace convoy::data {

// The extents of an image {C, H, W}.
struct ImageSize {
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;

  std::int64_t plane() const { return height * width; }
  std::int64_t count() const { return channels * plane(); }
};

// target(c, y, x) = source(c, y - down, x - right). Outside the source: 0, or with `reflect` the image
// mirrored about its border pixels, which requires |down| < height and |right| < width.
struct Shift {
  std::int64_t down = 0;
  std::int64_t right = 0;
  bool reflect = false;
};

// Overwrites `target`, which may not overlap `source`; both hold size.count() values.
void shift_image(std::span<const std::uint8_t> source, const ImageSize& size, const Shift& shift,
                 std::span<std::uint8_t> target);

// Mirrors left and right in place.
void flip_image(std::span<std::uint8_t> pixels, const ImageSize& size);

// Where each target pixel comes from, in pixels of the source; size.plane() values each, row-major.
struct Field {
  std::span<float> x;
  std::span<float> y;
};

// The field that turns the image counter-clockwise, as seen, about ((width - 1) / 2, (height - 1) / 2).
void fill_rotation(const ImageSize& size, double degrees, const Field& field);

// target(c, i) = source(c) at (x[i], y[i]), interpolated bilinearly and rounded to nearest, for every channel
// c; beyond the border the source is 0. Overwrites `target`, which may not overlap `source`.
void resample_image(std::span<const std::uint8_t> source, const ImageSize& size, const Field& field,
                    std::span<std::uint8_t> target);

}  // namespace convoy::data
