// What the batch-blocked direct convolution hands to its vector loops. Internal to conv_direct_batch*.
//
// Arrays are [N/lanes][C][H][W][lanes of n]: a vector holds one element of `lanes` samples, and a filter's
// element is one number for all of them.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/kernels/cpu/conv_direct_axis.h"
#include "convoy/kernels/cpu/conv_geometry.h"

namespace convoy::kernels::cpu {

// Forward and backward_data alike: each output channel of a group sums, over the group's input channels and
// the taps of a row and a column axis, inputs times filter elements. Strides are in floats.
struct BatchCorrelation {
  std::int64_t groups = 1, outputs = 1, inputs = 1;  // the last two: channels of a group
  std::int64_t in_plane = 0, in_row = 0;
  std::int64_t out_plane = 0, out_row = 0, out_rows = 0;
  std::int64_t w_output = 0, w_input = 0, w_row = 0, w_column = 1;
  std::vector<Axis> rows, columns;  // one a residue of the stride
  bool relu = false;
};

// One row of outputs of one block of samples and one group.
struct BatchRow {
  const float* in = nullptr;  // the group's first input channel
  const float* w = nullptr;   // the group's filters
  const float* bias = nullptr;
  float* out = nullptr;  // the row in the group's first output channel
  const Axis* axis = nullptr;
  std::int64_t i = 0;        // of the row axis
  std::int64_t samples = 0;  // of this block that are no padding
};

// A register tile: neighbouring output channels times outputs of a row, over inputs x rows x taps.
struct BatchTile {
  const float* in = nullptr;
  const float* w = nullptr;
  const float* bias = nullptr;
  float* out = nullptr;
  std::int64_t inputs = 0, rows = 0, taps = 0;
  std::int64_t in_input = 0, in_row = 0, in_tap = 0, in_step = 0;
  std::int64_t w_output = 0, w_input = 0, w_row = 0, w_tap = 0;
  std::int64_t out_output = 0, out_step = 0;
  std::int64_t samples = 0;
  bool relu = false;
};

// backward_weights: neighbouring output channels of dy times taps of x, summed over rows x columns of pixels.
struct BatchWeightsTile {
  const float* x = nullptr;
  const float* dy = nullptr;
  float* sums = nullptr;  // [outputs][…]: one vector for each product of an output channel and a tap
  std::int64_t rows = 0, columns = 0;
  std::int64_t x_row = 0, x_step = 0, x_tap = 0;
  std::int64_t dy_row = 0, dy_output = 0;
  std::int64_t sums_output = 0, sums_tap = 0;
  bool first = false;  // the sums start at zero
};

// Register tiles of this processor: output channels for 1, 2, … taps (index 0: one tap).
inline constexpr int kBatchTaps = 7;

}  // namespace convoy::kernels::cpu
