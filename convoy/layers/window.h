// Geometry of a window that slides over the spatial dimensions, for convolutions and pooling of any rank.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/graph/attributes.h"
#include "convoy/tensor/shape.h"

namespace convoy::layers {

// Resolved: no defaults and no auto_pad are left. Each vector has one entry a spatial dimension. Output
// position o and tap k of dimension d meet input position o * strides[d] - pads_begin[d] + k * dilations[d],
// which is padding outside [0, input[d]). pads_end may be smaller than the last window's overrun under
// ceil_mode; `output` is what counts.
struct Window {
  std::vector<std::int64_t> kernel;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> pads_begin;
  std::vector<std::int64_t> pads_end;
  std::vector<std::int64_t> dilations;
  std::vector<std::int64_t> input;
  std::vector<std::int64_t> output;

  int rank() const { return static_cast<int>(kernel.size()); }
  std::int64_t kernel_count() const;
  std::int64_t input_count() const;
  std::int64_t output_count() const;
};

// Reads ONNX's kernel_shape, strides, pads, dilations, auto_pad and ceil_mode; those the operator does not
// have take their defaults: strides 1, pads 0, dilations 1, NOTSET, 0. `input` is {N, C, spatial…}.
//
//   effective kernel e = (k - 1) * dilation + 1
//   NOTSET, VALID:  output = floor((input + pad_begin + pad_end - e) / stride) + 1, pads 0 for VALID
//   ceil_mode (NOTSET only): ceil instead of floor, less a window that would begin in the end padding
//   SAME_*:         output = ceil(input / stride), padding as small as possible; the odd one of it goes to
//                   the end for SAME_UPPER, to the beginning for SAME_LOWER
//
// Refuses wrong lengths, sizes out of range, pads beside auto_pad, and an output that would be empty.
// Source: ONNX operators Conv-11, MaxPool-12, AveragePool-11; the ceil_mode rule of opset 22, which
// PyTorch has too.
base::Result<Window> resolve_window(const graph::Attributes& attributes, const tensor::Shape& input);

// Refuses a window that holds nothing but padding, which pooling cannot serve.
base::Verdict check_windows_hold_input(const Window& window);

// {N, channels, output…}.
tensor::Shape window_output(const Window& window, std::int64_t n, std::int64_t channels);

// The input offset within one channel for each (output position, tap), row-major in both; -1 is padding.
// output_count() * kernel_count() entries.
std::vector<std::int64_t> tap_offsets(const Window& window);

// Sum over the dimensions of ceil(lg kernel): the depth of a tree over the taps.
std::int64_t window_depth(const Window& window);
// The same over the outputs whose windows hold one input position: at most ceil(kernel g / stride) a
// dimension, where g is the greatest common divisor of stride and dilation.
std::int64_t overlap_depth(const Window& window);

}  // namespace convoy::layers
