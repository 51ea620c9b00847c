// Pictures: files of the usual formats, and what a model wants to see.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "convoy/tensor/shape.h"
#include "convoy/tensor/view.h"

namespace convoy::data {

// A grey (1 channel) or RGB (3 channels) picture, 8 bits a value.
struct Image {
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<std::uint8_t> pixels;  // {channels, height, width}, row-major
};

// Larger pictures are refused before their memory is asked for.
inline constexpr std::int64_t kMaxImagePixels = std::int64_t{1} << 26;

// Decodes a PNM (P2, P3, P5, P6; any maxval, scaled to 255), PNG or JPEG picture, told apart by its first
// bytes. Transparent PNG pixels are laid on black. Palettes and CMYK become RGB, 16-bit values 8-bit; EXIF
// orientation is ignored. Throws InputError with `name` and the reason, for damaged and cut pictures too.
Image decode_image(std::span<const std::byte> bytes, const std::string& name,
                   std::int64_t max_pixels = kMaxImagePixels);
Image load_image(const std::string& path);

// The picture as a model's sample {C, H, W}, C being 1 or 3: grey is repeated for RGB, RGB becomes
// (299 R + 587 G + 114 B) / 1000, and each axis is resized on its own (the aspect ratio is not kept):
// averaged over the covered area where it shrinks, interpolated linearly between pixel centres where it
// grows. Throws UsageError for another sample shape.
Image fit_image(const Image& image, const tensor::Shape& sample_shape);

// load_image and fit_image: a u8 tensor of `sample_shape`.
tensor::Tensor load_sample(const std::string& path, const tensor::Shape& sample_shape);

// The picture as a PNG file, and as a binary PGM (grey) or PPM (RGB) file. Lossless.
std::string encode_png(const Image& image);
std::string encode_pnm(const Image& image);
// Writes atomically: PNG for a name that ends in .png, PNM for .pgm and .ppm; UsageError for others.
void save_image(const Image& image, const std::string& path);

}  // namespace convoy::data
