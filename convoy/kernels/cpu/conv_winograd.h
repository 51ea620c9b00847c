// The steps of convolution by Winograd's minimal filtering on arrays of channel blocks, one table of them a
// variant F(m x m, r x r) and instruction set. What a step reads and writes is cut so that conv_winograd.cc
// and conv_winograd_weights.cc can keep it in cache.
//
// N below is the length of a vector and of a channel block; a tile is alpha x alpha inputs, alpha = m + r -
// 1, and m x m outputs; xi < alpha^2 is a point of the transformed tile.
#pragma once

#include <cstdint>

namespace convoy::kernels::cpu {

// Vectors of output channels that are computed at once: a panel. Measured on Zen 4: 14 tiles x 2 vectors need
// 0.57 loads a multiply-add; 6 x 4 (0.42) is no faster, and 2 vectors leave less of a remainder.
inline constexpr std::int64_t kWinogradPanel = 2;

// Image planes in channel blocks and the grid of tiles over them: tile t of `tiles` lies in image
// t / (tiles_h tiles_w), row major within it. Tile (i, j) begins at (i m - top, j m - left).
struct TileGrid {
  std::int64_t h = 0, w = 0;
  std::int64_t channel_blocks = 0;
  std::int64_t tiles_h = 0, tiles_w = 0;
  std::int64_t top = 0, left = 0;
};

// Elements [tile_begin, tile_end) x [block_begin, block_end) of tiles and channel blocks.
struct TileRange {
  std::int64_t tile_begin = 0, tile_end = 0;
  std::int64_t block_begin = 0, block_end = 0;
};

// A transformed array: element (xi, block b, tile t, lane) at xi point + b block + t N + lane.
struct Transformed {
  float* data = nullptr;
  std::int64_t point = 0;
  std::int64_t block = 0;
};

// Filters OIhw, both channels in blocks of N ("ABcd16b16a"): (k, c, tap) at
// ((k/N C/N + c/N) r^2 + tap) N^2 + c%N N + k%N.
struct FilterJob {
  const float* filters = nullptr;
  std::int64_t blocks_c = 0, blocks_k = 0;
  bool flipped = false;    // backward_data: the vectors run along c, the sum along k, and taps are reversed
  std::int64_t panel = 0;  // vectors [2 panel, 2 panel + 2) of the outputs, if there
  std::int64_t depth_begin = 0, depth_end = 0;  // channels that are summed over
  float* to = nullptr;  // (xi, depth, vector, lane) at xi point + (depth 2 + vector) N
  std::int64_t point = 0;
};

// c[row, v] (+)= sum over p < depth of a[row, p] b[p, v], the vectors' lanes apart:
//   c[row, v] at c + v c_vector + row N;  b[p, v] at b + v b_vector + p b_step
//   multiply_tiles:    a[row, p] at a + p/N a_block + row N + p%N    (rows are tiles, p channels)
//   multiply_channels: a[row, p] at a + p N + row                    (rows are channels of a block, p tiles)
struct MultiplyJob {
  const float* a = nullptr;
  std::int64_t a_block = 0;
  const float* b = nullptr;
  std::int64_t b_step = 0, b_vector = 0;
  float* c = nullptr;
  std::int64_t c_vector = 0;
  std::int64_t rows = 0, depth = 0;
  std::int64_t vectors = 0;  // 1 or 2
  bool accumulate = false;
  // a and b of the product that follows, or null: fetched into the cache meanwhile, because neither is where
  // hardware would look for it. multiply_tiles fetches a's first block alone.
  const float* next_a = nullptr;
  const float* next_b = nullptr;  // multiply_channels only
};

struct OutputJob {
  Transformed from;  // its tile 0 is range.tile_begin, its block 0 is range.block_begin
  TileRange range;
  float* to = nullptr;
  const float* bias = nullptr;  // null: none; of all `channels`
  std::int64_t channels = 0;
  bool relu = false;
  bool stream = false;  // write around the caches
};

// Gradients of filters of one block of input channels and one vector of output channels.
struct FilterGradientJob {
  const float* from = nullptr;  // (xi, row c, lane k) at xi point + c N
  std::int64_t point = 0;
  std::int64_t rows = 0;  // the other rows of `to` become 0
  float* to = nullptr;    // r^2 x N x N
};

// What a variant F(m x m, r x r) is, apart from its code.
struct WinogradVariant {
  int m = 0;
  int r = 0;
  int points() const { return (m + r - 1) * (m + r - 1); }  // of a transformed tile, or filter
};

struct WinogradSteps {
  int outputs = 0;  // m
  int taps = 0;     // r
  int points = 0;   // alpha
  // V = B^T x B: tiles of alpha x alpha inputs. `to` begins at the range's first tile, and at block 0.
  void (*transform_inputs)(const TileGrid&, const TileRange&, const float* x, const Transformed& to);
  // D = G dy G^T with the matrices of F(r, m): tiles of m x m gradients.
  void (*transform_gradients)(const TileGrid&, const TileRange&, const float* dy, const Transformed& to);
  // U = G w G^T.
  void (*transform_filters)(const FilterJob&);
  // y = A^T M A + bias, cut to the image.
  void (*inverse_outputs)(const TileGrid&, const OutputJob&);
  // dw = A^T M A with the matrices of F(r, m).
  void (*inverse_filters)(const FilterGradientJob&);
};

// The table of a variant that has an entry, for this processor's instruction set: AVX2 or AVX-512.
WinogradSteps winograd_steps(WinogradVariant variant);

struct WinogradProducts {
  void (*multiply_tiles)(const MultiplyJob&);
  void (*multiply_channels)(const MultiplyJob&);
};
WinogradProducts winograd_products();

}  // namespace convoy::kernels::cpu
