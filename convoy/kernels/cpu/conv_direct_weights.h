// What the direct backward_weights convolution hands to its vector loops. Internal to conv_direct_weights*.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/kernels/cpu/conv_geometry.h"

namespace convoy::kernels::cpu {

// The outputs [begin, end) of one spatial dimension whose input under one tap lies inside the image.
struct TapRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// One range for each of `taps` taps: 0 <= o stride - pad + tap dilation < size, 0 <= o < outputs.
struct TapAxis {
  std::int64_t taps = 1, stride = 1, pad = 0, dilation = 1, size = 1, outputs = 1;
  std::vector<TapRange> ranges() const;
};

// Pixels that one pass of a register tile adds up: samples x rows x columns, strides in elements. A pixel
// of dY follows the one before it by one vector.
struct PixelRuns {
  std::int64_t samples = 1, rows = 1, columns = 1;
  std::int64_t x_sample = 0, x_row = 0, x_column = 0;
  std::int64_t y_sample = 0, y_row = 0;
  // From a pixel to its like in the next unit, which is prefetched; 0: not.
  std::int64_t x_ahead = 0, y_ahead = 0;
};

// A part of the sum that is worked off while its data lie in the cache: whole samples, or rows of one.
struct PixelUnit {
  std::int64_t sample_begin = 0, sample_end = 0;
  std::int64_t row_begin = 0, row_end = 0;
  bool first = false;  // the accumulators start at zero instead of what dW holds
};

// One k-block, or a few neighbours, against one c-block: every tap.
struct BlockedTile {
  const float* x = nullptr;  // the c-block's plane of sample 0
  const float* y = nullptr;  // the first k-block's plane of sample 0
  float* dw = nullptr;       // [R][S][lanes c][lanes k] of the first k-block
  std::int64_t x_sample = 0, y_sample = 0;
  std::int64_t y_block = 0, dw_block = 0;  // to the next k-block
  std::int64_t k_blocks = 1;
  std::int64_t channels = 1;  // of this c-block that are no padding
};

// One k-block against every input channel, which lie in planes with their padding around them.
struct ThinTile {
  const float* x = nullptr;  // [C][image_rows][row_size], from the unit's first row on
  const float* y = nullptr;  // the k-block's plane of the unit's sample
  float* dw = nullptr;       // [C][R][S][lanes k]
  std::int64_t row_size = 0;
  // A line is S neighbouring taps of one c and r, or one tap where taps do not neighbour. Where the first
  // tap of each line reads for the unit's first output.
  const std::vector<std::int64_t>* line_offsets = nullptr;
  std::int64_t taps_a_line = 1;
};

// One block of channels, each with a filter of its own.
struct DepthwiseTile {
  const float* x = nullptr;  // the block's plane of sample 0
  const float* y = nullptr;
  float* dw = nullptr;  // [R][S][lanes]
  std::int64_t x_sample = 0, y_sample = 0;
};

// Geometry with what the loops derive from it once.
struct WeightsGeometry {
  ConvGeometry conv;
  std::vector<TapRange> rows, columns;  // a tap of R, of S
};

}  // namespace convoy::kernels::cpu
