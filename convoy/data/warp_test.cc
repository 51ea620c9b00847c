#include "convoy/data/warp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numbers>
#include <vector>

namespace convoy::data {
namespace {

using Image = std::vector<std::uint8_t>;

// Every pixel different, as far as bytes allow.
Image numbered(const ImageSize& size) {
  Image image(static_cast<std::size_t>(size.count()));
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::uint8_t>(1 + i % 251);
  return image;
}

std::uint8_t at(const Image& image, const ImageSize& size, std::int64_t c, std::int64_t y, std::int64_t x) {
  return image[static_cast<std::size_t>((c * size.height + y) * size.width + x)];
}

Image rotated(const Image& image, const ImageSize& size, double degrees) {
  std::vector<float> x(static_cast<std::size_t>(size.plane())), y(x.size());
  fill_rotation(size, degrees, {x, y});
  Image out(image.size(), 0xA5);
  resample_image(image, size, {x, y}, out);
  return out;
}

TEST(Shift, MovesPixelsExactlyAndFillsWithZero) {
  const ImageSize size{2, 5, 4};
  const Image image = numbered(size);
  for (std::int64_t down = -6; down <= 6; ++down)
    for (std::int64_t right = -6; right <= 6; ++right) {
      Image out(image.size(), 0xA5);
      shift_image(image, size, {down, right, false}, out);
      for (std::int64_t c = 0; c < 2; ++c)
        for (std::int64_t y = 0; y < 5; ++y)
          for (std::int64_t x = 0; x < 4; ++x) {
            const std::int64_t sy = y - down, sx = x - right;
            const bool inside = sy >= 0 && sy < 5 && sx >= 0 && sx < 4;
            ASSERT_EQ(at(out, size, c, y, x), inside ? at(image, size, c, sy, sx) : 0)
                << down << " " << right;
          }
    }
}

TEST(Shift, ReflectsAboutTheBorderPixels) {
  const ImageSize size{1, 1, 5};
  const Image image{10, 20, 30, 40, 50};
  Image out(5);
  shift_image(image, size, {0, 2, true}, out);
  EXPECT_EQ(out, (Image{30, 20, 10, 20, 30}));
  shift_image(image, size, {0, -3, true}, out);
  EXPECT_EQ(out, (Image{40, 50, 40, 30, 20}));
  const ImageSize tall{1, 3, 1};
  Image column(3);
  shift_image(Image{1, 2, 3}, tall, {-1, 0, true}, column);
  EXPECT_EQ(column, (Image{2, 3, 2}));
}

TEST(Flip, MirrorsAndTwiceIsTheIdentity) {
  const ImageSize size{2, 3, 5};
  const Image image = numbered(size);
  Image out = image;
  flip_image(out, size);
  for (std::int64_t c = 0; c < 2; ++c)
    for (std::int64_t y = 0; y < 3; ++y)
      for (std::int64_t x = 0; x < 5; ++x) ASSERT_EQ(at(out, size, c, y, x), at(image, size, c, y, 4 - x));
  flip_image(out, size);
  EXPECT_EQ(out, image);
}

TEST(Rotation, QuarterTurnsAreExact) {
  for (std::int64_t side : {6, 7}) {
    const ImageSize size{2, side, side};
    const Image image = numbered(size);
    EXPECT_EQ(rotated(image, size, 0), image);
    const Image quarter = rotated(image, size, 90);
    for (std::int64_t c = 0; c < 2; ++c)
      for (std::int64_t y = 0; y < side; ++y)
        for (std::int64_t x = 0; x < side; ++x)  // counter-clockwise: the right edge becomes the top
          ASSERT_EQ(at(quarter, size, c, y, x), at(image, size, c, x, side - 1 - y)) << side;
    EXPECT_EQ(rotated(rotated(quarter, size, 90), size, 180), image);
  }
}

// A blob to the right of the centre must arrive where trigonometry says.
TEST(Rotation, MovesABlobByTheAngle) {
  const ImageSize size{1, 41, 41};
  Image image(41 * 41);
  constexpr double kRadius = 14;
  for (std::int64_t y = 0; y < 41; ++y)
    for (std::int64_t x = 0; x < 41; ++x) {
      const double dx = static_cast<double>(x) - 20 - kRadius, dy = static_cast<double>(y) - 20;
      image[static_cast<std::size_t>(y * 41 + x)] =
          static_cast<std::uint8_t>(std::lround(200 * std::exp(-(dx * dx + dy * dy) / 6)));
    }
  for (double degrees : {-120.0, -30.0, 17.0, 45.0, 163.0}) {
    const Image out = rotated(image, size, degrees);
    double mass = 0, x_mean = 0, y_mean = 0;
    for (std::int64_t y = 0; y < 41; ++y)
      for (std::int64_t x = 0; x < 41; ++x) {
        const double value = at(out, size, 0, y, x);
        mass += value;
        x_mean += value * static_cast<double>(x);
        y_mean += value * static_cast<double>(y);
      }
    const double angle = degrees * std::numbers::pi / 180;
    EXPECT_NEAR(x_mean / mass, 20 + kRadius * std::cos(angle), 0.05) << degrees;
    EXPECT_NEAR(y_mean / mass, 20 - kRadius * std::sin(angle), 0.05) << degrees;
  }
}

TEST(Resample, InterpolatesAndFadesBeyondTheBorder) {
  const ImageSize size{1, 2, 2};
  const Image image{0, 100, 200, 40};
  std::vector<float> x{0.5f, 0.25f, -0.5f, 5}, y{0.5f, 0, 1, 0};
  Image out(4);
  resample_image(image, size, {x, y}, out);
  EXPECT_EQ(out, (Image{85, 25, 100, 0}));
}

TEST(Resample, PositionsFarAwayAndNanAreZero) {
  const ImageSize size{1, 2, 2};
  std::vector<float> x{1e30f, -1e30f, std::nanf(""), 0}, y{0, 0, 0, std::nanf("")};
  Image out(4, 9);
  resample_image(Image{9, 9, 9, 9}, size, {x, y}, out);
  EXPECT_EQ(out, (Image{0, 0, 0, 0}));
}

}  // namespace
}  // namespace convoy::data
