#include "convoy/kernels/cpu/conv_direct_taps.h"

namespace convoy::kernels::cpu {
namespace {

constexpr std::uint32_t bits(std::int64_t count) { return (1U << count) - 1; }

void append(const TilePart& part, const TileStep& tile, const TapGrid& grid, std::int64_t row,
            std::vector<TileTap>& taps) {
  for (std::int64_t tap = part.tap - tile.tap; tap < part.tap - tile.tap + part.taps; ++tap)
    taps.push_back({.x = row * grid.x_row + tap * grid.x_tap,
                    .w = row * grid.w_row + tap * grid.w_tap,
                    .outputs = bits(part.width) << (part.begin - tile.begin)});
}

}  // namespace

TapList list_taps(const TileStep& tile, const TapGrid& grid) {
  TapList list;
  const TilePart whole{.tap = tile.tap, .taps = tile.taps, .begin = tile.begin, .width = tile.width};
  for (std::int64_t row = 0; row < grid.rows; ++row) {
    append(whole, tile, grid, row, list.whole);
    for (const TilePart& part : tile.parts) append(part, tile, grid, row, list.some);
  }
  list.whole_of_row = static_cast<std::int64_t>(list.whole.size()) / grid.rows;
  list.some_of_row = static_cast<std::int64_t>(list.some.size()) / grid.rows;
  return list;
}

}  // namespace convoy::kernels::cpu
