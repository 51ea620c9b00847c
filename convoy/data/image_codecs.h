// The decoders behind decode_image, one a file. Each throws InputError with `name` and the reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "convoy/data/image.h"

namespace convoy::data {

// The bytes of a picture file, what messages call it, and the most pixels it may have.
struct ImageSource {
  std::span<const std::byte> bytes;
  const std::string& name;
  std::int64_t max_pixels = 0;
};

Image decode_pnm(const ImageSource& source);
Image decode_png(const ImageSource& source);
Image decode_jpeg(const ImageSource& source);

// Refuses sides below 1 and more pixels than source.max_pixels.
void check_image_size(const ImageSource& source, std::int64_t height, std::int64_t width);

// {height, width, channels} to {channels, height, width} and back; sizes as in `image`.
void split_channels(std::span<const std::uint8_t> interleaved, Image& image);
std::vector<std::uint8_t> interleave_channels(const Image& image);

}  // namespace convoy::data
