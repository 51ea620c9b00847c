#include "convoy/kernels/cpu/conv_direct_axis.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace convoy::kernels::cpu {
namespace {

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return -floor_div(-a, b); }

// The m of [0, count) with 0 <= start + m step < size. step != 0.
base::IndexRange within(std::int64_t start, std::int64_t step, std::int64_t count, std::int64_t size) {
  std::int64_t low = step > 0 ? ceil_div(-start, step) : ceil_div(size - 1 - start, step);
  std::int64_t high = step > 0 ? floor_div(size - 1 - start, step) : floor_div(-start, step);
  low = std::max<std::int64_t>(low, 0);
  high = std::min(high, count - 1);
  return low <= high ? base::IndexRange{low, high + 1} : base::IndexRange{0, 0};
}

// Appends a tile, or a run to the one before if that has the same form.
void add_tile(const Axis& axis, base::IndexRange tile, std::vector<TileStep>& steps) {
  TileStep step{.begin = tile.begin, .width = tile.size()};
  for (std::int64_t j = 0; j < axis.taps; ++j) {
    base::IndexRange part = axis.outputs_of(j);
    part = {std::max(part.begin, tile.begin), std::min(part.end, tile.end)};
    if (part.size() <= 0) continue;
    if (part.size() == step.width) {
      if (step.taps++ == 0) step.tap = j;
      continue;
    }
    TilePart* before = step.parts.empty() ? nullptr : &step.parts.back();
    if (before != nullptr && before->tap + before->taps == j && before->begin == part.begin &&
        before->width == part.size())
      ++before->taps;
    else
      step.parts.push_back({.tap = j, .taps = 1, .begin = part.begin, .width = part.size()});
  }
  if (!steps.empty() && steps.back().parts.empty() && step.parts.empty()) {
    TileStep& before = steps.back();
    if (before.width == step.width && before.tap == step.tap && before.taps == step.taps &&
        before.begin + before.runs * step.width == step.begin) {
      ++before.runs;
      return;
    }
  }
  steps.push_back(std::move(step));
}

std::vector<TileStep> steps_of(const Axis& axis, const std::vector<base::IndexRange>& tiles) {
  std::vector<TileStep> steps;
  for (const base::IndexRange& tile : tiles) add_tile(axis, tile, steps);
  return steps;
}

// As few as `widest` allows, of nearly equal width.
std::vector<base::IndexRange> balanced_tiles(base::IndexRange range, std::int64_t widest) {
  const auto parts = static_cast<int>(ceil_div(range.size(), widest));
  std::vector<base::IndexRange> tiles;
  for (int part = 0; part < parts; ++part) {
    const base::IndexRange tile = base::split_range(range.size(), parts, part);
    tiles.push_back({range.begin + tile.begin, range.begin + tile.end});
  }
  return tiles;
}

// Balanced before, within and behind `inner`.
std::vector<base::IndexRange> tiles_cut_at(base::IndexRange inner, std::int64_t count, std::int64_t widest) {
  std::vector<base::IndexRange> tiles;
  for (const base::IndexRange range :
       {base::IndexRange{0, inner.begin}, inner, base::IndexRange{inner.end, count}})
    for (const base::IndexRange tile : balanced_tiles(range, widest)) tiles.push_back(tile);
  return tiles;
}

// All of one width, but the last.
std::vector<base::IndexRange> full_tiles(std::int64_t count, std::int64_t width) {
  std::vector<base::IndexRange> tiles;
  for (std::int64_t at = 0; at < count; at += width) tiles.push_back({at, std::min(at + width, count)});
  return tiles;
}

// Time of the taps of one input channel, in multiply-adds of a vector. Fewer than four outputs do not hide
// the latencies of arithmetic and cache, and each tap is a loop of its own (measured: 16 columns under 7 taps
// are 7 % faster as 14 and 2 than as 8 and 8, because fewer taps stand alone at a border).
std::int64_t cost(const std::vector<TileStep>& steps) {
  const auto of_taps = [](std::int64_t width, std::int64_t taps) {
    return taps * (std::max<std::int64_t>(width, 4) + 1);
  };
  std::int64_t sum = 0;
  for (const TileStep& step : steps) {
    sum += step.runs * of_taps(step.width, step.taps);
    for (const TilePart& part : step.parts) sum += of_taps(part.width, part.taps);
  }
  return sum;
}

}  // namespace

base::IndexRange Axis::taps_of(std::int64_t i) const {
  return within(input_of(i, 0), in_tap_step, taps, in_size);
}

base::IndexRange Axis::outputs_of(std::int64_t j) const {
  return within(input_of(0, j), in_step, count, in_size);
}

Axis forward_axis(const AxisGeometry& g) {
  return {.count = g.output,
          .taps = g.kernel,
          .in_first = -g.pad,
          .in_step = g.stride,
          .in_tap_step = g.dilation,
          .in_size = g.input};
}

std::vector<Axis> backward_axes(const AxisGeometry& g) {
  std::vector<Axis> axes;
  const std::int64_t common = std::gcd(g.stride, g.dilation);
  for (std::int64_t residue = 0; residue < std::min(g.stride, g.input); ++residue) {
    Axis axis{.first = residue,
              .out_step = g.stride,
              .count = (g.input - residue + g.stride - 1) / g.stride,
              .tap_step = g.stride / common,
              .in_tap_step = -(g.dilation / common),
              .in_size = g.output};
    // p = (h + pad - r dilation) / stride must be whole.
    for (std::int64_t r = 0; r < std::min(g.kernel, axis.tap_step) && axis.taps == 0; ++r) {
      if ((residue + g.pad - r * g.dilation) % g.stride != 0) continue;
      axis.tap_first = r;
      axis.taps = (g.kernel - r + axis.tap_step - 1) / axis.tap_step;
      axis.in_first = (residue + g.pad - r * g.dilation) / g.stride;
    }
    axes.push_back(axis);
  }
  return axes;
}

std::vector<TileStep> tile_steps(const Axis& axis, std::int64_t widest) {
  std::vector<TileStep> best = steps_of(axis, balanced_tiles({0, axis.count}, widest));
  if (axis.taps == 1) return steps_of(axis, tiles_cut_at(axis.outputs_of(0), axis.count, widest));
  for (std::int64_t width = widest; 2 * width > widest; --width) {
    std::vector<TileStep> steps = steps_of(axis, full_tiles(axis.count, width));
    if (cost(steps) < cost(best)) best = std::move(steps);
  }
  return best;
}

}  // namespace convoy::kernels::cpu
