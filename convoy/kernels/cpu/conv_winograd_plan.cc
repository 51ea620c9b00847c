#include "convoy/kernels/cpu/conv_winograd_plan.h"

#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/kernels/family.h"
#include "convoy/kernels/layout_map.h"

namespace convoy::kernels::cpu {
namespace {

// All measured on VGG-16 and ResNet-50, Zen 4 (1 MB of L2 a core, 32 MB of L3).
//
// Transformed filters above this size leave the second level of cache to the tiles only if each thread makes
// its own, panel by panel: 256 -> 256 channels gain 6 %, 512 -> 512 8 %, 128 -> 256 lose 4 %.
constexpr std::int64_t kSmallFilters_bytes = 6 << 20;
// Transformed tiles of a group, most of the last level, and of a block, half of the second.
constexpr std::int64_t kGroup_bytes = 24 << 20, kBlock_bytes = 448 << 10;
// Channels summed over at once: with more, a panel's filters do not stay in the second level.
constexpr std::int64_t kPanelDepth = 128, kTileDepth = 512;
// backward_weights: sums above this size are divided among threads, not kept by each (128 -> 128 channels:
// equal). Up to the next, all tiles are one group: 512 -> 512 at 28x28 lose 8 % in two. Blocks of fewer tiles
// add to the sums too often, of 16 tiles 12 %.
constexpr std::int64_t kSums_bytes = 3 << 20, kOneGroup_bytes = 64 << 20, kSummedTiles = 48;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

WinogradShape::WinogradShape(const ConvGeometry& g, Pass pass, WinogradVariant variant)
    : lanes(family_block()), points(variant.points()) {
  const bool is_backward_data = pass == Pass::backward_data;
  in_channels = is_backward_data ? g.k : g.c;
  out_channels = is_backward_data ? g.c : g.k;
  in = {.h = g.h,
        .w = g.w,
        .channel_blocks = divide_up(in_channels, lanes),
        .top = g.pad_top,
        .left = g.pad_left};
  out = {.h = g.p, .w = g.q, .channel_blocks = divide_up(out_channels, lanes)};
  if (is_backward_data) {
    // dx[i] = sum over taps t of dy[i + pad - t] w[t]: a correlation with reversed taps, r - 1 - pad before
    // it.
    std::swap(in.h, out.h);
    std::swap(in.w, out.w);
    in.top = variant.r - 1 - g.pad_top;
    in.left = variant.r - 1 - g.pad_left;
  }
  in.tiles_h = out.tiles_h = divide_up(out.h, variant.m);
  in.tiles_w = out.tiles_w = divide_up(out.w, variant.m);
  tiles = g.n * in.tiles_h * in.tiles_w;
}

DataBlocking data_blocking(const WinogradShape& shape, int threads) {
  const std::int64_t tile_bytes = shape.points * shape.in.channel_blocks * shape.lanes * 4;
  const std::int64_t filter_bytes = tile_bytes * shape.out.channel_blocks * shape.lanes;
  const std::int64_t rows = shape.lanes == 16 ? 14 : 6;
  DataBlocking blocking;
  blocking.by_panels = filter_bytes >= kSmallFilters_bytes || shape.tiles < 2 * rows * threads;
  if (blocking.by_panels) {
    blocking.tiles = std::min(shape.tiles, std::max(kGroup_bytes / tile_bytes, 4 * rows));
    blocking.depth = kPanelDepth;
  } else {
    blocking.tiles = std::clamp(kBlock_bytes / tile_bytes / rows * rows, rows, 4 * rows);
    blocking.depth = std::min<std::int64_t>(shape.in.channel_blocks * shape.lanes, kTileDepth);
  }
  return blocking;
}

WeightsBlocking weights_blocking(const WinogradShape& shape, int threads) {
  const std::int64_t tile_bytes =
      shape.points * (shape.in.channel_blocks + shape.out.channel_blocks) * shape.lanes * 4;
  const std::int64_t sum_bytes =
      shape.points * shape.in.channel_blocks * shape.out.channel_blocks * shape.lanes * shape.lanes * 4;
  WeightsBlocking blocking{.panels = 2, .channel_blocks = 8};
  blocking.by_filters = sum_bytes > kSums_bytes || shape.tiles < 2 * shape.lanes * threads;
  if (blocking.by_filters) {
    // Several groups keep the sums of all filters in memory between them, which costs more than tiles in
    // memory do.
    const bool one_group = tile_bytes * shape.tiles <= kOneGroup_bytes;
    blocking.tiles = std::max(2 * shape.lanes, one_group ? shape.tiles : kGroup_bytes / tile_bytes);
  } else {
    blocking.tiles = kSummedTiles;
  }
  blocking.tiles = std::min(shape.tiles, blocking.tiles);
  // At least four items a thread, so that they share the work evenly.
  const auto items = [&] {
    return divide_up(shape.panels(), blocking.panels) *
           divide_up(shape.in.channel_blocks, blocking.channel_blocks);
  };
  while (items() < 4 * threads && blocking.panels * blocking.channel_blocks > 1)
    if (blocking.channel_blocks >= blocking.panels * 4 || blocking.panels == 1)
      blocking.channel_blocks = divide_up(blocking.channel_blocks, 2);
    else
      --blocking.panels;
  return blocking;
}

KernelTraits winograd_traits(const Problem& problem) {
  const std::string block = base::str(family_block());
  const tensor::Shape& filter = problem.params[0].shape;
  KernelTraits traits;
  traits.inputs = {activation_layout(problem.inputs[0], problem.family)};
  traits.outputs = {activation_layout(problem.outputs[0], problem.family)};
  traits.params = {canonical(filter, Layout::parse("ABcd" + block + "b" + block + "a", 4).value())};
  if (problem.params.size() > 1) traits.params.push_back(Layout::plain());
  traits.reads_inputs = {problem.pass == Pass::backward_weights};
  traits.reads_outputs = {false};
  return traits;
}

}  // namespace convoy::kernels::cpu
