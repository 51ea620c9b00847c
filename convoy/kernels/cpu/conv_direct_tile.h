// The register tile of the direct convolution: what all its loops come down to.
#pragma once

#include <cstdint>
#include <span>

namespace convoy::kernels::cpu {

// Products that a tile has for some of its outputs only: those whose bits are set, with x and w of the tile
// moved on by so many floats, and `columns` and `inner` of its own.
struct TilePartCall {
  std::int64_t x = 0, w = 0;
  std::int64_t columns = 1, inner = 1;
  std::uint32_t outputs = 0;
};

// One product of a tile for the outputs whose bits are set, with x and w of the tile moved on by so many
// floats.
struct TileTap {
  std::int64_t x = 0, w = 0;
  std::uint32_t outputs = 0;
};

// One tile: `vectors` vectors of output channels times `width` outputs of a row, which read inputs `step`
// floats apart. For vector v, lane l and output j, with the sum over all b, r, s, i of the four counts,
//   y[v y_vector + j y_step + l] = start + sum of x[b x_block + r x_row + s x_column + i x_inner + j step]
//                                         * w[v w_vector + b w_block + r w_row + s w_column + i lanes + l]
// or, where the tile is depthwise, with lane l of x in place of the same x for all lanes; or, where its taps
// are listed, over b and those in place of r, s and i: `whole_taps` for all outputs, `some_taps` for some.
// `start` is the bias, or 0, or with `accumulate` what stands in y. A call works off `runs` such tiles, x_run
// and y_run apart. All strides are in floats; y and w are aligned to vectors.
struct TileCall {
  const float* x = nullptr;
  const float* w = nullptr;
  float* y = nullptr;
  const float* bias = nullptr;  // null: 0
  std::int64_t bias_lanes = 0;  // of all vectors together; lanes beyond start at 0
  bool accumulate = false;
  bool relu = false;  // y = y <= 0 ? 0 : y, behind the sum
  std::int64_t runs = 1, x_run = 0, y_run = 0;
  std::int64_t blocks = 1, rows = 1, columns = 1, inner = 1;
  std::int64_t x_block = 0, x_row = 0, x_column = 0, x_inner = 1;
  std::int64_t w_block = 0, w_row = 0, w_column = 0, w_vector = 0;
  std::int64_t y_vector = 0, y_step = 0;
  std::int64_t step = 0;
  const TilePartCall* parts = nullptr;
  std::int64_t part_count = 0;
  std::span<const TileTap> whole_taps, some_taps;
};

using TileFunction = void (*)(const TileCall&);

// The widest tile of this processor, for any number of vectors.
std::int64_t widest_tile();
inline constexpr int kMaxTileVectors = 2;

// How a tile reads its inputs.
enum class TileForm : std::uint8_t {
  channels,   // one input for all lanes
  depthwise,  // one a lane
  taps,       // one for all lanes, taps listed
};

// Code for tiles of 1 or 2 vectors and 1 to widest_tile() outputs that are `step` floats apart
// (TileCall::step must say so too). A depthwise tile has one vector. Requires a processor with AVX2.
struct TileShape {
  int vectors = 1;
  std::int64_t width = 1;
  std::int64_t step = 1;
  TileForm form = TileForm::channels;
};
TileFunction tile_function(const TileShape& shape);

}  // namespace convoy::kernels::cpu
