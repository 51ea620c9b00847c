#include "convoy/kernels/cpu/conv_fft_plan.h"

#include <algorithm>
#include <cmath>

#include "convoy/kernels/cpu/fft.h"

namespace convoy::kernels::cpu {
namespace {

// What one thread's spectra of inputs may take, so that they stay in the caches.
constexpr std::int64_t kMaxSpectra_bytes = 4 << 20;
// The same for a group's filters.
constexpr std::int64_t kMaxGroup_bytes = 3 << 19;

// Measured shares of peak: of the transforms, in nominal operations and from cache, and of the product, in
// multiply-adds.
constexpr double kTransformEfficiency = 0.45;
constexpr double kProductEfficiency = 0.88;

// Bytes that stream during one multiply-add of vectors, from memory and from the last level of cache.
constexpr double kMemoryBytes = 4;
constexpr double kCacheBytes = 14;
constexpr std::int64_t kCached_bytes = 16 << 20;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t even(std::int64_t a) { return (a + 1) / 2 * 2; }

// A step of at least so many floats that walks through all sets of a cache instead of a few: an odd number of
// lines, and for long ones of 5 modulo 64.
std::int64_t spread(std::int64_t floats) {
  std::int64_t lines = ceil_div(floats, 16);
  if (lines > 512) return (ceil_div(lines - 5, 64) * 64 + 5) * 16;
  return (lines | 1) * 16;
}

FftAxis::Range clip(std::int64_t begin, std::int64_t end, std::int64_t size) {
  const std::int64_t low = std::max<std::int64_t>(begin, 0), high = std::min(end, size);
  if (high <= low) return {};
  return {low, static_cast<int>(low - begin), static_cast<int>(high - low)};
}

// In multiply-adds: a complex transform of n points counts 5 n lg n operations, two of which are one
// multiply-add.
double line_cycles(int points) { return 2.5 * points * std::log2(points) / kTransformEfficiency; }

// Cuts the axis for transforms of so many points; false if they are too short. A tile sees outputs + filter -
// 1 inputs, which must fit. Where one tile has zeros on both sides of its inputs, what wraps around from one
// side may overlap with the zeros of the other: inputs + the longer of both sides must fit then.
bool cut(FftAxis& axis, int points) {
  if (points < axis.filter) return false;
  axis.points = points;
  axis.tiles = 1;
  axis.tile = axis.output;
  const FftAxis::Range given = axis.inputs(0);
  const std::int64_t after = axis.output + axis.filter - 1 - given.first - given.count;
  if (axis.output <= points && given.count + std::max<std::int64_t>(given.first, after) <= points)
    return true;
  axis.tiles = ceil_div(axis.output, points - axis.filter + 1);
  axis.tile = ceil_div(axis.output, axis.tiles);
  return true;
}

// Fills in steps and offsets for the chunks and groups of the plan.
void lay_out(ConvFftPlan& p) {
  const std::int64_t l = p.lanes, tiles = p.chunk_images * p.tiles();
  const bool weights = p.shape.pass == Pass::backward_weights;
  const std::int64_t v = p.frequencies(), u = p.shape.rows.points, channels = p.shape.in_channels;
  p.in_rows = p.shape.rows.max_inputs();
  p.out_rows = even(p.shape.rows.tile);
  p.filter_rows = even(p.shape.rows.filter);
  const std::int64_t in_maps = tiles * p.in_blocks * p.in_rows * 2 * l;
  const std::int64_t out_maps = tiles * p.chunk_blocks * p.out_rows * 2 * l;
  p.maps = 0;
  p.out_maps = weights ? in_maps : 0;  // else outputs take the place of the inputs of the same v
  p.map_step = spread(weights ? in_maps + out_maps : std::max(in_maps, out_maps));
  p.filters = p.maps + v * p.map_step;
  p.filter_step = spread(p.chunk_blocks * channels * p.filter_rows * 2 * l);
  p.bias = p.filters + v * p.filter_step;
  p.spectra = p.bias + spread(p.out_blocks * l);
  p.in_step = spread(tiles * p.in_blocks * 2 * l);
  p.second_step = spread(p.group_blocks * (weights ? tiles : channels) * 2 * l);
  p.product_step = spread(p.group_blocks * (weights ? channels : tiles) * 2 * l);
  p.second = u * p.in_step;
  p.product = p.second + u * p.second_step;
  // In the passes over rows the place holds one packed tile of a few channels.
  const std::int64_t tile = p.in_rows * even(p.shape.columns.max_inputs()) * l;
  p.thread_step = spread(std::max(p.product + u * p.product_step, tile));
  p.floats = p.spectra + p.threads * p.thread_step;
}

// Fills in the work of all passes over the chunks.
void count_work(ConvFftPlan& p) {
  const FftAxis &rows = p.shape.rows, &columns = p.shape.columns;
  const double tiles = static_cast<double>(p.shape.images * p.tiles());
  const double filters = static_cast<double>(p.out_blocks * p.shape.in_channels);
  const double in_maps = tiles * static_cast<double>(p.in_blocks * ceil_div(p.out_blocks, p.chunk_blocks));
  const double out_maps = tiles * static_cast<double>(p.out_blocks);
  const double filter_passes = static_cast<double>(ceil_div(p.shape.images, p.chunk_images));
  // The rows of a tile that are not padding, in the mean over all tiles.
  const double given = static_cast<double>(rows.input + (rows.tiles - 1) * (rows.filter - 1)) /
                       static_cast<double>(rows.tiles);
  const double in_rows = std::min(given + 1, static_cast<double>(p.in_rows));
  const double lines = in_maps * in_rows + out_maps * static_cast<double>(p.out_rows) +
                       filters * static_cast<double>(p.filter_rows);
  // Whole frequencies v are a thread's: the last ones may leave some idle.
  const double idle = static_cast<double>(ceil_div(p.frequencies(), p.threads) * p.threads) / p.frequencies();
  const double column_lines = idle * p.frequencies() * (in_maps + out_maps + filter_passes * filters);
  const double products = idle * tiles * filters * 3 * p.frequencies() * rows.points;
  // Few rows of a register tile leave its latencies bare.
  const double tile_rows = p.shape.pass == Pass::backward_weights
                               ? 4
                               : std::min<double>(4, static_cast<double>(p.chunk_images * p.tiles()));
  p.multiply_adds = lines / 2 * line_cycles(columns.points) * 1.15 + column_lines * line_cycles(rows.points) +
                    products / (kProductEfficiency * std::sqrt(tile_rows / 4));
  // Half-transformed arrays are written, for which a cache reads them first, and read.
  p.bytes = lines * p.frequencies() * 3 * 2 * static_cast<double>(p.lanes) * 4;
}

double cycles(const ConvFftPlan& p) {
  return p.multiply_adds + p.bytes / (p.workspace_bytes() > kCached_bytes ? kMemoryBytes : kCacheBytes);
}

// Chooses chunks and groups for given tiles; false if none fits.
bool choose_chunks(ConvFftPlan& p, std::int64_t max_bytes) {
  const bool weights = p.shape.pass == Pass::backward_weights;
  p.chunk_images = p.shape.images;
  p.chunk_blocks = p.out_blocks;
  for (;;) {
    const std::int64_t tiles = p.chunk_images * p.tiles();
    const std::int64_t block_bytes =
        p.shape.rows.points * (weights ? tiles : p.shape.in_channels) * 2 * p.lanes * 4;
    p.group_blocks = std::clamp<std::int64_t>(kMaxGroup_bytes / block_bytes,
                                              std::min<std::int64_t>(2, p.chunk_blocks), p.chunk_blocks);
    lay_out(p);
    if (p.workspace_bytes() <= max_bytes && (p.chunk_images == 1 || p.second * 4 <= kMaxSpectra_bytes))
      return true;
    const std::int64_t filters = p.frequencies() * p.filter_step * 4;
    if (p.chunk_images > 1 && (filters <= max_bytes / 2 || p.chunk_blocks == 1))
      p.chunk_images = ceil_div(p.chunk_images, 2);
    else if (p.chunk_blocks > 1)
      p.chunk_blocks = ceil_div(p.chunk_blocks, 2);
    else
      return false;
  }
}

}  // namespace

FftAxis::Range FftAxis::inputs(std::int64_t tile_index) const {
  const std::int64_t begin = tile_index * tile - pad, count = outputs(tile_index).count + filter - 1;
  return clip(begin, begin + count, input);
}

FftAxis::Range FftAxis::outputs(std::int64_t tile_index) const {
  return clip(tile_index * tile, (tile_index + 1) * tile, output);
}

std::int64_t FftAxis::max_inputs() const {
  int most = 0;
  for (std::int64_t i = 0; i < tiles; ++i) most = std::max(most, inputs(i).count);
  return std::max<std::int64_t>(2, even(most));
}

ConvFftShape ConvFftShape::of(const ConvGeometry& g, Pass pass) {
  const FftAxis rows{.input = g.h, .output = g.p, .filter = g.r, .pad = g.pad_top};
  const FftAxis columns{.input = g.w, .output = g.q, .filter = g.s, .pad = g.pad_left};
  if (pass != Pass::backward_data) return {pass, g.n, g.c, g.k, rows, columns};
  const auto transposed = [](const FftAxis& axis) {
    return FftAxis{
        .input = axis.output, .output = axis.input, .filter = axis.filter, .pad = axis.filter - 1 - axis.pad};
  };
  return {pass, g.n, g.k, g.c, transposed(rows), transposed(columns)};
}

std::optional<ConvFftPlan> plan_conv_fft(const ConvGeometry& g, Pass pass, std::int64_t lanes, int threads,
                                         std::int64_t max_workspace_bytes) {
  ConvFftPlan base{.shape = ConvFftShape::of(g, pass), .threads = threads, .lanes = lanes};
  base.in_blocks = ceil_div(base.shape.in_channels, lanes);
  base.out_blocks = ceil_div(base.shape.out_channels, lanes);
  std::optional<ConvFftPlan> best;
  for (const int rows : fft_sizes()) {
    if (!cut(base.shape.rows, rows)) continue;
    for (const int columns : fft_sizes()) {
      if (!cut(base.shape.columns, columns)) continue;
      ConvFftPlan plan = base;
      if (!choose_chunks(plan, max_workspace_bytes)) continue;
      count_work(plan);
      if (!best || cycles(plan) < cycles(*best)) best = plan;
    }
  }
  return best;
}

double conv_fft_error_growth(const ConvFftPlan& plan) {
  const FftAxis &rows = plan.shape.rows, &columns = plan.shape.columns;
  const auto inputs = static_cast<double>(rows.max_inputs() * columns.max_inputs());
  const double points = static_cast<double>(rows.points) * columns.points;
  const std::int64_t terms =
      plan.shape.pass == Pass::backward_weights ? plan.shape.images * plan.tiles() : plan.shape.in_channels;
  return std::sqrt(inputs) * (13.5 * std::log2(points) + 2 * static_cast<double>(terms) + 9) + 1;
}

}  // namespace convoy::kernels::cpu
