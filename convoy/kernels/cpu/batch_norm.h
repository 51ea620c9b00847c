// What a batch normalisation knows of one vector of channels.
#pragma once

#include <cstdint>

#include "convoy/base/threads.h"

namespace convoy::kernels::cpu {

inline constexpr std::int64_t kMaxChannelLanes = 16;

// Where the vectors of one column of channels lie in an activation, from the column's first; strides count
// elements. Pixels of all images are counted in one sequence.
struct ChannelColumn {
  std::int64_t pixels = 0;  // of an image
  std::int64_t image_stride = 0;
  std::int64_t pixel_stride = 0;
  bool bf16 = false;  // the elements' type, else float32
};

// What backward reads: an input and the gradient of its output.
struct ForwardPair {
  const void* x = nullptr;
  const void* dy = nullptr;
};

// Two sums a channel over pixels.
struct ChannelTotals {
  double first[kMaxChannelLanes] = {};
  double second[kMaxChannelLanes] = {};
};

// Coefficients a channel: y = factor (x - mean) + bias; dx = factor dy + slope (x - mean) + shift.
struct ChannelFactors {
  alignas(64) float mean[kMaxChannelLanes] = {};
  alignas(64) float factor[kMaxChannelLanes] = {};
  alignas(64) float bias[kMaxChannelLanes] = {};
  alignas(64) float slope[kMaxChannelLanes] = {};
  alignas(64) float shift[kMaxChannelLanes] = {};
};

}  // namespace convoy::kernels::cpu
