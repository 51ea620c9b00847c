#include "convoy/data/image.h"

#include <gtest/gtest.h>
#include <png.h>
#include <turbojpeg.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "convoy/base/error.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::data {
namespace {

Image decode(const std::string& bytes, std::int64_t max_pixels = kMaxImagePixels) {
  return decode_image(std::as_bytes(std::span(bytes)), "f", max_pixels);
}

std::string problem_of(const std::string& bytes, std::int64_t max_pixels = kMaxImagePixels) {
  try {
    const Image image = decode(bytes, max_pixels);
    return base::str("decoded ", image.channels, "x", image.height, "x", image.width);
  } catch (const base::InputError& error) {
    return error.what();
  }
}

Image gradient(std::int64_t channels, std::int64_t height, std::int64_t width) {
  Image image{.channels = channels, .height = height, .width = width, .pixels = {}};
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x)
        image.pixels.push_back(static_cast<std::uint8_t>(50 * c + 2 * y + x));
  return image;
}

std::string jpeg_of(const Image& image, int pixel_format, int subsampling, int flags = 0) {
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::size_t plane = image.pixels.size() / channels;
  std::vector<unsigned char> values(image.pixels.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = image.pixels[i % channels * plane + i / channels];
  const tjhandle jpeg = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  EXPECT_EQ(tjCompress2(jpeg, values.data(), static_cast<int>(image.width), 0, static_cast<int>(image.height),
                        pixel_format, &bytes, &size, subsampling, 95, flags),
            0);
  std::string out(reinterpret_cast<char*>(bytes), size);
  tjFree(bytes);
  tjDestroy(jpeg);
  return out;
}

// A PNG of any libpng format, for what encode_png does not write.
std::string png_of(const void* values, png_uint_32 width, png_uint_32 height, png_uint_32 format) {
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = format;
  std::string out(1 << 16, '\0');
  png_alloc_size_t bytes = out.size();
  EXPECT_NE(png_image_write_to_memory(&image, out.data(), &bytes, 0, values, 0, nullptr), 0) << image.message;
  out.resize(bytes);
  return out;
}

using Values = std::vector<std::uint8_t>;

TEST(Pnm, TextAndRawWithComments) {
  EXPECT_EQ(decode("P2\n# a comment\n3 # wide\n2\n255\n0 1 2\n3 4 255\n").pixels,
            (Values{0, 1, 2, 3, 4, 255}));
  EXPECT_EQ(decode("P3 1 2 255 1 2 3 # last\n 4 5 6").pixels, (Values{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(decode("P5#c\n3 1#d\n255\nabc").pixels, (Values{'a', 'b', 'c'}));
  const Image colour = decode("P6 2 1 255\nabcdef");
  EXPECT_EQ(colour.pixels, (Values{'a', 'd', 'b', 'e', 'c', 'f'}));
  EXPECT_EQ(colour.channels, 3);
  EXPECT_EQ(colour.width, 2);
}

TEST(Pnm, MaximaAreScaled) {
  EXPECT_EQ(decode("P2 4 1 15 0 7 8 15").pixels, (Values{0, 119, 136, 255}));
  EXPECT_EQ(decode("P2 2 1 1 0 1").pixels, (Values{0, 255}));
  EXPECT_EQ(decode(std::string("P5 3 1 65535\n\0\0\x80\0\xff\xff", 19)).pixels, (Values{0, 128, 255}));
}

TEST(Pnm, BadFilesAreRefused) {
  EXPECT_EQ(problem_of("P5 3 1 255\nab"), "f: cut short: 3 bytes of pixels expected after byte 11, 2 found");
  EXPECT_EQ(problem_of("P5 3 1 255\nabcd"), "f: too long: 1 bytes after the last pixel at byte 14");
  EXPECT_EQ(problem_of("P2 2 1 9 1 10"), "f: the value at byte 11 is above 9");
  EXPECT_EQ(problem_of(std::string("P5 1 1 7\n\x08", 10)), "f: the value before byte 10 is above 7");
  EXPECT_EQ(problem_of("P2 2 1 9 1 x"), "f: no value at byte 11");
  EXPECT_EQ(problem_of("P2 2 1 9 1"), "f: cut short: 3 bytes of pixels expected after byte 8, 2 found");
  EXPECT_EQ(problem_of("P5 2"), "f: cut short: no height at byte 4");
  EXPECT_EQ(problem_of("P5 2 -1 255\n"), "f: no height at byte 5");
  EXPECT_EQ(problem_of("P5 2 1 0\nab"), "f: the maximum value is 0");
  EXPECT_EQ(problem_of("P5 2 1 65536\nab"), "f: the maximum value at byte 7 is above 65535");
  EXPECT_NE(problem_of("P5 0 1 255\n").find("0x1 pixels"), std::string::npos);
  EXPECT_NE(problem_of("P5 2147483648 2147483648 255\n").find("at most 67108864"), std::string::npos);
  EXPECT_NE(problem_of("P5 99999999999999999999 1 255\n").find("above"), std::string::npos);
  EXPECT_NE(problem_of("P6 8000 8000 255\n").find("cut short"), std::string::npos);
  EXPECT_EQ(problem_of("P5 3 1 255"), "f: no blank after the header at byte 10");
}

TEST(Image, OtherFilesAreRefused) {
  for (const std::string bytes : {"", "P", "GIF89a", "P4 1 1 x", "\x89", "plain text"})
    EXPECT_EQ(problem_of(bytes), "f: not a picture that can be read: PNM (P2, P3, P5, P6), PNG and JPEG are")
        << bytes;
}

TEST(Image, LosslessFormatsComeBackExactly) {
  for (const std::int64_t channels : {1, 3}) {
    const Image image = gradient(channels, 17, 23);
    for (const std::string& bytes : {encode_png(image), encode_pnm(image)}) {
      const Image back = decode(bytes);
      EXPECT_EQ(back.channels, channels);
      EXPECT_EQ(back.height, 17);
      EXPECT_EQ(back.width, 23);
      EXPECT_EQ(back.pixels, image.pixels);
    }
  }
}

TEST(Png, TransparencyIsLaidOnBlack) {
  const unsigned char rgba[8] = {200, 100, 50, 255, 200, 100, 50, 0};
  const Image image = decode(png_of(rgba, 2, 1, PNG_FORMAT_RGBA));
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(image.pixels, (Values{200, 0, 100, 0, 50, 0}));
  const unsigned char grey_alpha[4] = {77, 255, 77, 0};
  EXPECT_EQ(decode(png_of(grey_alpha, 2, 1, PNG_FORMAT_GA)).pixels, (Values{77, 0}));
}

TEST(Png, DamageIsRefused) {
  const std::string whole = encode_png(gradient(3, 20, 20));
  for (std::size_t bytes = 8; bytes + 40 < whole.size(); bytes += 5)
    EXPECT_EQ(problem_of(whole.substr(0, bytes)).substr(0, 12), "f: bad PNG: ") << bytes;
  std::string flipped = whole;
  flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 4);
  EXPECT_EQ(problem_of(flipped).substr(0, 12), "f: bad PNG: ");
  EXPECT_NE(problem_of(whole, 399).find("at most 399 pixels"), std::string::npos);
}

TEST(Jpeg, DecodesGreyAndColour) {
  const Image grey = gradient(1, 24, 40);
  const Image grey_back = decode(jpeg_of(grey, TJPF_GRAY, TJSAMP_GRAY));
  EXPECT_EQ(grey_back.channels, 1);
  const Image colour = gradient(3, 24, 40);
  const Image colour_back = decode(jpeg_of(colour, TJPF_RGB, TJSAMP_444, TJFLAG_PROGRESSIVE));
  EXPECT_EQ(colour_back.channels, 3);
  EXPECT_EQ(colour_back.height, 24);
  EXPECT_EQ(colour_back.width, 40);
  for (const auto& [back, image] : {std::pair(&grey_back, &grey), std::pair(&colour_back, &colour)}) {
    ASSERT_EQ(back->pixels.size(), image->pixels.size());
    for (std::size_t i = 0; i < image->pixels.size(); ++i)
      EXPECT_NEAR(back->pixels[i], image->pixels[i], 6) << i;
  }
}

TEST(Jpeg, DamageIsRefused) {
  const std::string whole = jpeg_of(gradient(3, 64, 64), TJPF_RGB, TJSAMP_420);
  for (std::size_t bytes = 4; bytes + 10 < whole.size(); bytes += 7)
    EXPECT_EQ(problem_of(whole.substr(0, bytes)).substr(0, 13), "f: bad JPEG: ") << bytes;
  EXPECT_NE(problem_of(whole, 4095).find("at most 4095 pixels"), std::string::npos);
}

// Adobe's programs, and so TurboJPEG, write inks inverted: 255 is none.
TEST(Jpeg, CmykBecomesRgb) {
  Image four{.channels = 4, .height = 16, .width = 16, .pixels = {}};
  for (const std::uint8_t ink : {200, 100, 50, 204}) four.pixels.insert(four.pixels.end(), 256, ink);
  const std::string bytes = jpeg_of(four, TJPF_CMYK, TJSAMP_444);
  ASSERT_NE(bytes.find("Adobe"), std::string::npos);
  const Image image = decode(bytes);
  ASSERT_EQ(image.channels, 3);
  for (const auto& [c, value] : {std::pair(0, 160), std::pair(1, 80), std::pair(2, 40)})
    EXPECT_NEAR(image.pixels[static_cast<std::size_t>(c) * 256 + 70], value, 2) << c;
}

TEST(Fit, ChannelsAreConverted) {
  const Image grey{.channels = 1, .height = 1, .width = 2, .pixels = {10, 20}};
  EXPECT_EQ(fit_image(grey, {3, 1, 2}).pixels, (Values{10, 20, 10, 20, 10, 20}));
  const Image colour{
      .channels = 3, .height = 1, .width = 4, .pixels = {255, 0, 0, 90, 0, 255, 0, 90, 0, 0, 255, 90}};
  EXPECT_EQ(fit_image(colour, {1, 1, 4}).pixels, (Values{76, 150, 29, 90}));
  EXPECT_EQ(fit_image(colour, {3, 1, 4}).pixels, colour.pixels);
}

TEST(Fit, ShrinkingAverages) {
  const Image image{.channels = 1, .height = 2, .width = 4, .pixels = {0, 10, 20, 30, 40, 50, 60, 70}};
  EXPECT_EQ(fit_image(image, {1, 1, 2}).pixels, (Values{25, 45}));
  EXPECT_EQ(fit_image(image, {1, 1, 1}).pixels, (Values{35}));
  // 3 to 2: each output covers one and a half inputs.
  const Image three{.channels = 1, .height = 1, .width = 3, .pixels = {30, 60, 90}};
  EXPECT_EQ(fit_image(three, {1, 1, 2}).pixels, (Values{40, 80}));
}

TEST(Fit, GrowingInterpolates) {
  const Image image{.channels = 1, .height = 1, .width = 2, .pixels = {0, 100}};
  EXPECT_EQ(fit_image(image, {1, 1, 4}).pixels, (Values{0, 25, 75, 100}));
  EXPECT_EQ(fit_image(image, {1, 3, 2}).pixels, (Values{0, 100, 0, 100, 0, 100}));
}

TEST(Fit, ConstantPicturesStayConstantAtEverySize) {
  const Image image{.channels = 3, .height = 7, .width = 5, .pixels = Values(105, 201)};
  for (std::int64_t height = 1; height < 16; ++height)
    for (std::int64_t width = 1; width < 16; ++width)
      EXPECT_EQ(fit_image(image, {3, height, width}).pixels,
                Values(static_cast<std::size_t>(3 * height * width), 201));
}

TEST(Fit, OtherShapesAreRefused) {
  const Image image{.channels = 1, .height = 1, .width = 1, .pixels = {0}};
  for (const tensor::Shape& shape : {tensor::Shape{2, 4, 4}, tensor::Shape{16}, tensor::Shape{1, 0, 4}})
    EXPECT_THROW(fit_image(image, shape), base::UsageError) << shape.str();
}

TEST(Image, FilesAreSavedAndLoadedAsSamples) {
  const io::TemporaryDirectory dir;
  const Image image = gradient(1, 28, 28);
  for (const char* name : {"a.png", "a.pgm"}) {
    save_image(image, dir.file(name));
    const tensor::Tensor sample = load_sample(dir.file(name), {1, 28, 28});
    EXPECT_EQ(Values(sample.as<std::uint8_t>().begin(), sample.as<std::uint8_t>().end()), image.pixels);
  }
  EXPECT_THROW(save_image(image, dir.file("a.gif")), base::UsageError);
  EXPECT_THROW(load_image(dir.file("none.png")), base::InputError);
}

TEST(RealPictures, AllFlowersDecode) {
  const char* root = std::getenv("CONVOY_DATA_DIR");
  if (root == nullptr || *root == '\0') GTEST_SKIP() << "CONVOY_DATA_DIR is not set";
  if (!std::filesystem::exists(std::string(root) + "/flowers5/val"))
    GTEST_SKIP() << "no flowers5 in CONVOY_DATA_DIR";
  int count = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(std::string(root) + "/flowers5/val")) {
    if (entry.path().extension() != ".jpg") continue;
    const Image image = load_image(entry.path());
    EXPECT_EQ(image.channels, 3) << entry.path();
    EXPECT_EQ(fit_image(image, {3, 32, 32}).pixels.size(), 3072u);
    ++count;
  }
  EXPECT_EQ(count, 100);
}

}  // namespace
}  // namespace convoy::data
