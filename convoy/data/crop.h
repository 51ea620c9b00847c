// Which part of a photograph becomes the sample.
#pragma once

#include <cstdint>

#include "convoy/base/rng.h"
#include "convoy/data/warp.h"

namespace convoy::data {

// A rectangle of a picture, in its pixels; sides may be fractions.
struct Box {
  double top = 0;
  double left = 0;
  double height = 0;
  double width = 0;

  friend bool operator==(const Box&, const Box&) = default;
};

// How large a random crop is: its area as a share of the picture's, uniform between these.
struct CropRange {
  double least_area = 0.08;
  double most_area = 1;

  friend bool operator==(const CropRange&, const CropRange&) = default;
};

// A random rectangle of whole pixels: the area as `range` says, the ratio of width to height log-uniform in
// [3/4, 4/3], the place uniform. After ten draws that do not fit, the largest centred one of a permitted
// ratio. Draws 4 numbers an attempt that fits and 2 another. Calls the C library's exp. Requires height,
// width >= 1. Source: Szegedy et al., Going Deeper with Convolutions (CVPR 2015), section 6.
Box random_crop(std::int64_t height, std::int64_t width, const CropRange& range, base::RandomStream& random);

// What evaluation sees: the centred rectangle that has the sample's ratio of sides, as large as fits, times
// `share` of each side. A picture that has the sample's size is taken whole. Requires 0 < share <= 1.
Box centre_crop(std::int64_t height, std::int64_t width, const ImageSize& sample, double share);

}  // namespace convoy::data
