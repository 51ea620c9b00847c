// The decoders behind decode_image, one a file. Each throws InputError with `name` and the reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "convoy/data/image.h"
#include "convoy/data/resample.h"

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

// What a JPEG picture says of itself.
struct JpegFrame {
  std::int64_t height = 0;
  std::int64_t width = 0;
  bool is_grey = false;
  bool is_cmyk = false;
};

// Decodes JPEG pictures one after the other, keeping TurboJPEG's state. One thread.
class JpegDecoder {
 public:
  JpegDecoder();

  JpegFrame read_header(const ImageSource& source);
  // The picture whose header was read, in ceil(side · eighths / 8) pixels a side, as RGB in `values`: grey is
  // repeated, CMYK converted, inverted where Adobe's marker says so. Requires 1 <= eighths <= 8.
  RgbPicture decode_rgb(const ImageSource& source, const JpegFrame& frame, int eighths,
                        std::vector<std::uint8_t>& values);

 private:
  struct Close {
    void operator()(void* handle) const;
  };
  [[noreturn]] void fail(const ImageSource& source) const;

  std::unique_ptr<void, Close> handle_;
};

// Whether the first bytes are those of a JPEG picture.
bool is_jpeg(std::span<const std::byte> bytes);

// Grey repeated for 3 channels, or RGB as (299 R + 587 G + 114 B) / 1000 for 1.
Image with_channels(const Image& image, std::int64_t channels);

// Refuses sides below 1 and more pixels than source.max_pixels.
void check_image_size(const ImageSource& source, std::int64_t height, std::int64_t width);

// {height, width, channels} to {channels, height, width} and back; sizes as in `image`.
void split_channels(std::span<const std::uint8_t> interleaved, Image& image);
std::vector<std::uint8_t> interleave_channels(const Image& image);

}  // namespace convoy::data
