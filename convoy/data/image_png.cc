#include <png.h>

#include <cstring>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/image_codecs.h"

namespace convoy::data {
namespace {

// libpng's picture, freed in every way out.
struct Png {
  Png() {
    std::memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
  }
  ~Png() { png_image_free(&image); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  png_image image;
};

}  // namespace

Image decode_png(const ImageSource& source) {
  Png png;
  if (png_image_begin_read_from_memory(&png.image, source.bytes.data(), source.bytes.size()) == 0)
    throw base::InputError(source.name, base::str("bad PNG: ", png.image.message));
  Image image;
  image.height = png.image.height;
  image.width = png.image.width;
  check_image_size(source, image.height, image.width);
  const bool is_colour = (png.image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  image.channels = is_colour ? 3 : 1;
  png.image.format = is_colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png.image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // else 16-bit values would be taken for linear light
  std::vector<std::uint8_t> values(PNG_IMAGE_SIZE(png.image));
  const png_color black{0, 0, 0};
  if (png_image_finish_read(&png.image, &black, values.data(), 0, nullptr) == 0)
    throw base::InputError(source.name, base::str("bad PNG: ", png.image.message));
  split_channels(values, image);
  return image;
}

std::string encode_png(const Image& image) {
  CONVOY_CHECK(image.channels == 1 || image.channels == 3, image.channels, " channels");
  const std::vector<std::uint8_t> values = interleave_channels(image);
  Png png;
  png.image.width = static_cast<png_uint_32>(image.width);
  png.image.height = static_cast<png_uint_32>(image.height);
  png.image.format = image.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  std::string out;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(png.image);
  out.resize(bytes);
  CONVOY_CHECK(png_image_write_to_memory(&png.image, out.data(), &bytes, 0, values.data(), 0, nullptr) != 0,
               "libpng: ", png.image.message);
  out.resize(bytes);
  return out;
}

}  // namespace convoy::data
