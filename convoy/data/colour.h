// Changing the colours of 8-bit images.
#pragma once

#include <cstdint>
#include <span>

#include "convoy/data/warp.h"

namespace convoy::data {

// What each property is multiplied with; 1 leaves it.
struct ColourFactors {
  double brightness = 1;
  double contrast = 1;
  double saturation = 1;
};

// In place, one after the other, each value rounded and held within 0 … 255:
//   v' = brightness · v;  v' = m + contrast · (v - m);  v' = g + saturation · (v - g)
// with g the pixel's grey value, (299 R + 587 G + 114 B) / 1000, and m the image's mean of it, both rounded.
// Images of 1 channel are grey themselves and have no saturation; others than 1 and 3 are a bug.
void change_colours(std::span<std::uint8_t> pixels, const ImageSize& size, const ColourFactors& factors);

}  // namespace convoy::data
