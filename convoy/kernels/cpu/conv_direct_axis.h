// Which taps of the filter meet the input, for each output along one dimension of a convolution.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/base/threads.h"

namespace convoy::kernels::cpu {

// Outputs `first`, first + out_step, … (`count` of them, numbered by i) and filter positions tap_first,
// tap_first + tap_step, … (`taps` of them, numbered by j). Output i reads, with tap j, the input at
//   in_first + i in_step + j in_tap_step,
// where that lies within [0, in_size); elsewhere the input is 0 and the tap is skipped.
struct Axis {
  std::int64_t first = 0, out_step = 1, count = 0;
  std::int64_t tap_first = 0, tap_step = 1, taps = 0;
  std::int64_t in_first = 0, in_step = 1, in_tap_step = 1, in_size = 0;

  std::int64_t input_of(std::int64_t i, std::int64_t j) const {
    return in_first + i * in_step + j * in_tap_step;
  }
  // The taps of output i that meet the input, and the outputs that do with tap j; empty ranges begin at 0.
  base::IndexRange taps_of(std::int64_t i) const;
  base::IndexRange outputs_of(std::int64_t j) const;
};

// One dimension of ConvGeometry.
struct AxisGeometry {
  std::int64_t input = 1, output = 1, kernel = 1, stride = 1, pad = 0, dilation = 1;
};

Axis forward_axis(const AxisGeometry& g);

// The gradient of the inputs. Input h receives from output p through tap r where h = p stride - pad +
// r dilation, so that only h of one residue modulo the stride share their taps: one axis a residue, whose
// inputs are outputs of the convolution and whose outputs are h. Residues beyond the size are left out; those
// that no tap meets have no taps.
std::vector<Axis> backward_axes(const AxisGeometry& g);

// Taps [tap, tap + taps) that meet the input for outputs [begin, begin + width) of a tile and no others.
struct TilePart {
  std::int64_t tap = 0, taps = 0;
  std::int64_t begin = 0, width = 0;
};

// A tile of a row of outputs: [begin, begin + width) with taps [tap, tap + taps), which meet the input for
// all of them, and those that do at one side alone. `runs` tiles of the same form without such parts follow
// one another.
struct TileStep {
  std::int64_t begin = 0, width = 0, runs = 1;
  std::int64_t tap = 0, taps = 0;
  std::vector<TilePart> parts = {};
};

// Covers the axis with tiles, none wider than `widest`, in the way that costs least.
std::vector<TileStep> tile_steps(const Axis& axis, std::int64_t widest);

}  // namespace convoy::kernels::cpu
