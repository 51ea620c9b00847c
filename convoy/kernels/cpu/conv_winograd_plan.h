// Sizes of a Winograd convolution in one pass, and the blocks that it is cut into.
#pragma once

#include <cstdint>
#include <memory>

#include "convoy/kernels/cpu/conv_geometry.h"
#include "convoy/kernels/cpu/conv_winograd.h"
#include "convoy/kernels/kernel.h"

namespace convoy::kernels::cpu {

// Forward and backward_data map tiles of `in` to tiles of `out` and sum over `in` channels; backward_weights
// sums over tiles of both.
struct WinogradShape {
  WinogradShape(const ConvGeometry& g, Pass pass, WinogradVariant variant);

  std::int64_t lanes = 0, points = 0;
  std::int64_t in_channels = 0, out_channels = 0;
  TileGrid in, out;  // grids of the same tiles
  std::int64_t tiles = 0;
  std::int64_t panels() const { return (out.channel_blocks + kWinogradPanel - 1) / kWinogradPanel; }
  // Floats of an array of transformed tiles, and its strides, for `rows` tiles at once.
  Transformed transformed(float* data, std::int64_t blocks, std::int64_t rows) const {
    // One line apart from a power of two, so that the points of a tile do not share a set of the cache.
    return {data, blocks * rows * lanes + lanes, rows * lanes};
  }
  std::int64_t transformed_floats(std::int64_t blocks, std::int64_t rows) const {
    return points * (blocks * rows * lanes + lanes);
  }
};

// Forward and backward_data.
struct DataBlocking {
  // False: each thread takes blocks of tiles through all three stages, and all filters were transformed
  // before. True: all tiles are transformed first, then threads divide the panels, and each transforms the
  // filters of its own panel on the way, so that they never leave its cache.
  bool by_panels = false;
  std::int64_t tiles = 0;  // of a block
  std::int64_t depth = 0;  // channels that a product sums over at once
};
DataBlocking data_blocking(const WinogradShape& shape, int threads);

struct WeightsBlocking {
  // False: each thread sums over blocks of its own tiles into its own sums of all filters. True: tiles are
  // transformed in large groups, and threads divide the filters.
  bool by_filters = false;
  std::int64_t tiles = 0;  // of a block or group
  // By filters: what one thread sums at a time, so that tiles are read from its second level of cache.
  std::int64_t panels = 1, channel_blocks = 1;
};
WeightsBlocking weights_blocking(const WinogradShape& shape, int threads);

std::unique_ptr<Kernel> make_winograd_data(const Problem& problem, const ConvGeometry& geometry,
                                           WinogradVariant variant);
std::unique_ptr<Kernel> make_winograd_weights(const Problem& problem, const ConvGeometry& geometry,
                                              WinogradVariant variant);

// Predicted seconds of one call: operations of product and transforms, padded lanes and tiles included, and
// bytes.
double winograd_seconds(const Problem& problem, WinogradVariant variant, const machine::Machine& machine);

// Layouts of a problem: activations in channel blocks, filters in blocks of both channels, vectors along K.
KernelTraits winograd_traits(const Problem& problem);

}  // namespace convoy::kernels::cpu
