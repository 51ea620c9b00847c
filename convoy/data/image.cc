#include "convoy/data/image.h"

#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/image_codecs.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"

namespace convoy::data {
namespace {

bool begins_with(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), bytes.begin(), [](char a, std::byte b) {
           return static_cast<unsigned char>(a) == std::to_integer<unsigned char>(b);
         });
}

}  // namespace

bool is_jpeg(std::span<const std::byte> bytes) { return begins_with(bytes, "\xff\xd8\xff"); }

void check_image_size(const ImageSource& source, std::int64_t height, std::int64_t width) {
  if (height < 1 || width < 1 || width > source.max_pixels / height)
    throw base::InputError(
        source.name, base::str("a picture of ", width, "x", height, " pixels; at least 1x1 and at most ",
                               source.max_pixels, " pixels are read"));
}

void split_channels(std::span<const std::uint8_t> interleaved, Image& image) {
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::size_t plane = interleaved.size() / channels;
  image.pixels.resize(interleaved.size());
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t i = 0; i < plane; ++i) image.pixels[c * plane + i] = interleaved[i * channels + c];
}

std::vector<std::uint8_t> interleave_channels(const Image& image) {
  const auto channels = static_cast<std::size_t>(image.channels);
  CONVOY_CHECK(std::ssize(image.pixels) == image.channels * image.height * image.width, image.pixels.size(),
               " values");
  const std::size_t plane = image.pixels.size() / channels;
  std::vector<std::uint8_t> interleaved(image.pixels.size());
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t i = 0; i < plane; ++i) interleaved[i * channels + c] = image.pixels[c * plane + i];
  return interleaved;
}

Image decode_image(std::span<const std::byte> bytes, const std::string& name, std::int64_t max_pixels) {
  const ImageSource source{bytes, name, max_pixels};
  if (begins_with(bytes, "\x89PNG")) return decode_png(source);
  if (is_jpeg(bytes)) return decode_jpeg(source);
  for (const std::string_view magic : {"P2", "P3", "P5", "P6"})
    if (begins_with(bytes, magic)) return decode_pnm(source);
  throw base::InputError(name, "not a picture that can be read: PNM (P2, P3, P5, P6), PNG and JPEG are");
}

Image load_image(const std::string& path) {
  const std::string bytes = io::read_file(path);
  return decode_image(std::as_bytes(std::span(bytes)), path);
}

tensor::Tensor load_sample(const std::string& path, const tensor::Shape& sample_shape) {
  const Image image = fit_image(load_image(path), sample_shape);
  tensor::Tensor sample(tensor::DType::u8, sample_shape);
  std::copy(image.pixels.begin(), image.pixels.end(), sample.as<std::uint8_t>().begin());
  return sample;
}

void save_image(const Image& image, const std::string& path) {
  if (path.ends_with(".png"))
    io::write_file_atomically(path, encode_png(image));
  else if (path.ends_with(".pgm") || path.ends_with(".ppm"))
    io::write_file_atomically(path, encode_pnm(image));
  else
    throw base::UsageError(path + ": pictures are written as .png, .pgm or .ppm");
}

}  // namespace convoy::data
