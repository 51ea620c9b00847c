// A rectangle of a picture, resized to a sample.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "convoy/data/crop.h"
#include "convoy/data/warp.h"

namespace convoy::data {

// An RGB picture as decoders give it: {height, width, 3}, row-major, 8 bits a value.
struct RgbPicture {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::span<const std::uint8_t> pixels;
};

// Working memory of resample_box; one thread.
struct ResampleScratch {
  std::vector<float> row;                  // of the picture, resized down its columns
  std::vector<float> weights;              // of the columns' taps
  std::vector<std::int32_t> first_column;  // of each target column
  std::vector<float> row_weights;
};

// target(c, y, x) = Σ over the picture's pixels of a triangle filter about the centre of target pixel (y, x),
// whose half-width is the larger of one pixel of the picture and of the target (so shrinking averages and
// growing interpolates linearly); weights are normalised to 1, and pixels beyond the picture have none.
// Overwrites `target` {3, size.height, size.width}. Requires a box of positive sides within the picture.
// Each value is rounded once, to nearest; the same on every machine that does not fuse multiply and add.
void resample_box(const RgbPicture& picture, const Box& box, const ImageSize& size,
                  std::span<std::uint8_t> target, ResampleScratch& scratch);

}  // namespace convoy::data
