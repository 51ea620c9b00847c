// From the bytes of a picture file to a sample: decode, cut out, resize.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "convoy/data/crop.h"

namespace convoy::data {

// The part of a picture of that size that the sample shows.
using ChooseBox = std::function<Box(std::int64_t height, std::int64_t width)>;

// Keeps its working memory from picture to picture. One thread.
class PictureDecoder {
 public:
  virtual ~PictureDecoder() = default;

  // Overwrites `pixels` {3, size.height, size.width} with the chosen part of a picture that decode_image
  // reads, resized by resample_box. A JPEG picture is decoded in the smallest of 1/8, 1/4, 1/2 and 1/1 of its
  // size in which the part still has as many pixels as the sample, a side. Throws InputError with `name` and
  // the reason. EXIF orientation is ignored.
  virtual void decode(std::span<const std::byte> bytes, const std::string& name, const ImageSize& size,
                      const ChooseBox& choose, std::span<std::uint8_t> pixels) = 0;
};

std::unique_ptr<PictureDecoder> make_picture_decoder();

}  // namespace convoy::data
