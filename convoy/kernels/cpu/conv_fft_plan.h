// How a convolution is cut into tiles, chunks and groups for the frequency domain, and what that costs.
#pragma once

#include <cstdint>
#include <optional>

#include "convoy/kernels/cpu/conv_geometry.h"
#include "convoy/kernels/kernel.h"

namespace convoy::kernels::cpu {

// One spatial axis. Outputs are cut into tiles; a tile's transform sees the inputs under its outputs, and
// what of them lies outside is zero (overlap-save: outputs + filter - 1 <= points).
struct FftAxis {
  std::int64_t input = 0, output = 0, filter = 0;
  std::int64_t pad = 0;  // may be negative: backward_data of a padding above filter - 1
  int points = 0;
  std::int64_t tile = 0;  // outputs of a tile but the last
  std::int64_t tiles = 0;

  struct Range {
    std::int64_t source = 0;  // of the whole axis
    int first = 0;            // of the tile
    int count = 0;
  };
  Range inputs(std::int64_t tile_index) const;
  Range outputs(std::int64_t tile_index) const;
  std::int64_t max_inputs() const;  // of any tile, rounded up to even
};

// A pass as a correlation of `in_channels` maps with filters to `out_channels` maps. forward: X, Y;
// backward_data: dY, dX; backward_weights: X, dY.
struct ConvFftShape {
  Pass pass = Pass::forward;
  std::int64_t images = 0;
  std::int64_t in_channels = 0, out_channels = 0;
  FftAxis rows, columns;

  static ConvFftShape of(const ConvGeometry& g, Pass pass);
};

// Workspace in floats from its beginning, and steps in floats. L is the lanes of a vector; blocks are of L
// channels.
struct ConvFftPlan {
  ConvFftShape shape;  // with points and tiles
  int threads = 1;
  std::int64_t lanes = 0;
  std::int64_t in_blocks = 0, out_blocks = 0;
  std::int64_t chunk_images = 0;  // whose maps are in the frequency domain of the columns at once
  std::int64_t chunk_blocks = 0;  // blocks of outputs whose filters are
  std::int64_t group_blocks = 0;  // of a chunk, in both frequency domains at once

  // Half-transformed maps: [frequency v][tile][block][row][re, im][L].
  std::int64_t in_rows = 0, out_rows = 0, filter_rows = 0;  // even
  std::int64_t maps = 0, out_maps = 0;                      // offsets; out_maps is of backward_weights
  std::int64_t map_step = 0;                                // of v
  // Half-transformed filters, or their gradients: [v][block][channel][row][re, im][L].
  std::int64_t filters = 0, filter_step = 0;
  // Whole spectra of one v, a thread each: [frequency u][tile][block][plane][L] and the like.
  std::int64_t spectra = 0, thread_step = 0;
  std::int64_t in_step = 0;                  // of u
  std::int64_t second = 0, second_step = 0;  // filters, or backward_weights' dY; offset within a thread
  std::int64_t product = 0, product_step = 0;
  std::int64_t bias = 0;  // out_blocks L
  std::int64_t floats = 0;
  // Predicted work of one call, of all threads: vector multiply-adds, at the rate of peak, and bytes between
  // passes.
  double multiply_adds = 0;
  double bytes = 0;

  std::int64_t tiles() const { return shape.rows.tiles * shape.columns.tiles; }  // of an image
  int frequencies() const { return shape.columns.points / 2 + 1; }
  std::int64_t workspace_bytes() const { return floats * 4; }
};

// The cheapest cut whose workspace fits, for `lanes` and `threads`; none if no transform is long enough or no
// cut fits.
std::optional<ConvFftPlan> plan_conv_fft(const ConvGeometry& g, Pass pass, std::int64_t lanes, int threads,
                                         std::int64_t max_workspace_bytes);

// Bound on the error of the plan's pass in units of epsilon times ErrorTerms::whole_maps; docs/numerics.md,
// "Convolution in the frequency domain".
double conv_fft_error_growth(const ConvFftPlan& plan);

}  // namespace convoy::kernels::cpu
