// Lowering: the columns of the matrix that turns a convolution into a product (im2col), and its transpose.
#pragma once

#include <cstdint>
#include <vector>

namespace convoy::kernels::cpu {

// One tap of a filter: grid pixel (i, j) meets source pixel (i stride_h + row, j stride_w + column).
struct Tap {
  std::int64_t row = 0;
  std::int64_t column = 0;
};

// Which source pixels the pixels of a grid meet. Forward, the source is x and the grid y; in backward_data
// the source is dy and the grid dx, or those pixels of it that meet the same taps; pixels outside are zero.
struct Lowering {
  std::int64_t source_h = 0, source_w = 0;
  std::int64_t grid_h = 0, grid_w = 0;
  std::int64_t stride_h = 1, stride_w = 1;
  std::vector<Tap> taps;

  std::int64_t source_pixels() const { return source_h * source_w; }
  std::int64_t pixels() const { return grid_h * grid_w; }
  std::int64_t tap_count() const { return static_cast<std::int64_t>(taps.size()); }
  // Whether grid pixel i is source pixel i: a 1x1 filter with stride 1 and without padding. The column
  // matrix is then the source itself.
  bool is_identity() const;
};

// A piece of the column matrix: entries [entry, entry + entries), where entry = block * taps + tap, and grid
// pixels [pixel, pixel + pixels), row-major. L = simd_lanes().
struct ColumnPiece {
  std::int64_t entry = 0, entries = 0;
  std::int64_t pixel = 0, pixels = 0;
  std::int64_t stride = 0;  // floats between entries in the column matrix
};

// to[(e - entry) stride + (i - pixel) L + l] = channel l of block e / taps of the source at the pixel that
// grid pixel i meets by tap e % taps. `source` is one image in blocks of L channels. In the calling thread.
void lower_blocks(const Lowering& lowering, const float* source, const ColumnPiece& piece,
                  float* to) noexcept;

// The transpose for one block: adds column[tap stride + i L + l] to the source pixel that grid pixel i
// meets by that tap, taps in order; first clears the block. In the calling thread.
void raise_block(const Lowering& lowering, const float* column, std::int64_t stride, float* source) noexcept;

}  // namespace convoy::kernels::cpu
