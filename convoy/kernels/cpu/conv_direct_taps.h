// The taps of a direct convolution's tile one by one, for inputs of few channels.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/kernels/cpu/conv_direct_axis.h"
#include "convoy/kernels/cpu/conv_direct_tile.h"

namespace convoy::kernels::cpu {

// Rows of the filter, and how far apart they and the taps of one lie; all in floats.
struct TapGrid {
  std::int64_t rows = 1;
  std::int64_t x_row = 0, x_tap = 0;
  std::int64_t w_row = 0, w_tap = 0;
};

// Places count from the tile's first output and its tap `tile.tap` in the grid's first row. Rows are
// outermost: that many times `whole_of_row` and `some_of_row` elements are the taps of its first rows.
struct TapList {
  std::vector<TileTap> whole, some;  // of all outputs of the tile, and of some of them
  std::int64_t whole_of_row = 0, some_of_row = 0;
};

TapList list_taps(const TileStep& tile, const TapGrid& grid);

}  // namespace convoy::kernels::cpu
