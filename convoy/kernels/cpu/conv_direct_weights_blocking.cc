#include "convoy/kernels/cpu/conv_direct_weights_blocking.h"

#include <algorithm>
#include <string>

#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/conv_direct.h"
#include "convoy/kernels/family.h"
#include "convoy/kernels/layout_map.h"

namespace convoy::kernels::cpu {
namespace {

// Half of a small L2, of which dw of a task takes this much, and most of a 32 KB L1, for x and dy of a unit.
constexpr std::int64_t kTask_bytes = 512 << 10;
constexpr std::int64_t kUnit_bytes = 40 << 10;
constexpr std::int64_t kFloat_bytes = 4;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

WeightsScheme scheme_of(const ConvGeometry& g, std::int64_t lanes) {
  if (g.is_depthwise()) return WeightsScheme::depthwise;
  return g.groups == 1 && g.c < lanes ? WeightsScheme::thin : WeightsScheme::blocked;
}

// Rows of `row_bytes` that fill a unit, evenly; or whole samples, where one alone does not fill it.
void choose_unit(std::int64_t row_bytes, bool many_samples, WeightsBlocking& b) {
  const std::int64_t fit = std::max<std::int64_t>(1, kUnit_bytes / row_bytes);
  b.unit_rows = ceil_div(b.rows, ceil_div(b.rows, fit));
  if (many_samples && fit >= b.rows) b.unit_samples = std::clamp<std::int64_t>(fit / b.rows, 1, b.samples);
}

// Fewer samples a unit where there would be fewer units than threads.
void feed_threads(int threads, WeightsBlocking& b) {
  if (b.splits == 1) return;
  while (b.unit_samples > 1 && b.units() < threads) b.unit_samples = ceil_div(b.unit_samples, 2);
  while (b.unit_rows > 1 && b.units() < threads) b.unit_rows = ceil_div(b.unit_rows, 2);
  b.splits = std::min<std::int64_t>(b.splits, b.units());
}

// Parts of a group whose dw stays in L2; more where threads share the tasks.
void choose_parts(const ConvGeometry& g, std::int64_t wanted_tasks, WeightsBlocking& b) {
  const std::int64_t block_bytes = g.r * g.s * b.lanes * b.lanes * kFloat_bytes;
  const auto too_large = [&] {
    return ceil_div(b.k_blocks, b.k_parts) * ceil_div(b.c_blocks, b.c_parts) * block_bytes > kTask_bytes;
  };
  const auto halve = [&] {
    // Every part of k reads all of x, with the pixels that a strided tap leaves out, and each of c all of dy.
    const bool by_k = b.k_parts * b.c_blocks * g.h * g.w <= b.c_parts * b.k_blocks * g.p * g.q;
    if (by_k && b.k_parts < b.k_blocks)
      b.k_parts = std::min(b.k_blocks, 2 * b.k_parts);
    else if (b.c_parts < b.c_blocks)
      b.c_parts = std::min(b.c_blocks, 2 * b.c_parts);
    else if (b.k_parts < b.k_blocks)
      b.k_parts = std::min(b.k_blocks, 2 * b.k_parts);
    else
      return false;
    return true;
  };
  while (too_large() && halve()) {
  }
  while (b.tasks() < wanted_tasks && halve()) {
  }
}

void block_blocked(const ConvGeometry& g, int threads, WeightsBlocking& b) {
  b.groups = g.groups;
  b.k_blocks = ceil_div(g.k_per_group(), b.lanes);
  b.c_blocks = ceil_div(g.c_per_group(), b.lanes);
  b.weights = b.groups * b.k_blocks * b.c_blocks * g.r * g.s * b.lanes * b.lanes;
  const std::int64_t activations =
      g.n * b.groups * b.lanes * (b.c_blocks * g.h * g.w + b.k_blocks * g.p * g.q);
  const std::int64_t most_tasks = b.groups * b.k_blocks * b.c_blocks;
  // Each further split writes, reads and adds its dw; each further task reads activations once more.
  const bool by_pixels = 4 * threads * b.weights < activations || most_tasks < threads;
  b.splits = by_pixels ? threads : 1;
  choose_parts(g, by_pixels ? 1 : threads, b);
  const std::int64_t together = b.k_step(std::min(b.k_blocks, ceil_div(b.k_blocks, b.k_parts)));
  choose_unit((together * g.q + g.w * std::min(g.stride_h, g.r)) * b.lanes * kFloat_bytes, true, b);
}

void block_thin(const ConvGeometry& g, int threads, WeightsBlocking& b) {
  b.k_blocks = ceil_div(g.k, b.lanes);
  b.weights = b.k_blocks * g.c * g.r * g.s * b.lanes;
  b.splits = threads;
  b.row_size = (g.q - 1) * g.stride_w + (g.s - 1) * g.dilation_w + 1;
  // The copied rows may lie in L2: a tile reads few of them, and slowly.
  choose_unit((g.q * b.lanes + b.row_size * g.stride_h) * kFloat_bytes, false, b);
}

// Behind the choice of unit_rows.
void place_lines(const ConvGeometry& g, WeightsBlocking& b) {
  b.unit_image_rows = (b.unit_rows - 1) * g.stride_h + (g.r - 1) * g.dilation_h + 1;
  b.planes = ceil_div(g.c * b.unit_image_rows * b.row_size, b.lanes) * b.lanes;
  const bool neighbours = g.dilation_w == 1;
  b.taps_a_line = neighbours ? g.s : 1;
  for (std::int64_t c = 0; c < g.c; ++c)
    for (std::int64_t r = 0; r < g.r; ++r)
      for (std::int64_t s = 0; s < (neighbours ? 1 : g.s); ++s)
        b.line_offsets.push_back((c * b.unit_image_rows + r * g.dilation_h) * b.row_size + s * g.dilation_w);
}

void block_depthwise(const ConvGeometry& g, int threads, WeightsBlocking& b) {
  b.k_blocks = ceil_div(g.k, b.lanes);
  b.weights = b.k_blocks * g.r * g.s * b.lanes;
  b.splits = b.k_blocks < threads ? threads : 1;
  b.k_parts = b.splits == 1 ? b.k_blocks : 1;
  choose_unit((g.q + g.w * std::min(g.stride_h, g.r)) * b.lanes * kFloat_bytes, true, b);
}

Layout weight_layout(const Problem& problem, const WeightsBlocking& b) {
  const int rank = problem.params[0].shape.rank();
  const std::string block = std::to_string(b.lanes);
  const std::string ungrouped = std::string("abcd").substr(2, static_cast<std::size_t>(rank - 2));
  const std::string grouped = std::string("abcde").substr(3, static_cast<std::size_t>(rank - 2));
  std::string tag;
  if (b.scheme == WeightsScheme::thin)
    tag = "Ab" + ungrouped + block + "a";
  else if (b.scheme == WeightsScheme::depthwise)
    tag = base::str("g", problem.params[0].shape[0], ":Abc", grouped, block, "a");
  else if (b.groups == 1)
    tag = "AB" + ungrouped + block + "b" + block + "a";
  else
    tag = base::str("g", b.groups, ":aBC", grouped, block, "c", block, "b");
  return canonical(problem.params[0].shape, Layout::parse(tag, rank).value());
}

}  // namespace

std::vector<TapRange> TapAxis::ranges() const {
  std::vector<TapRange> found;
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    const std::int64_t before = pad - tap * dilation;  // padding left of what output 0 reads
    const std::int64_t begin = std::min(outputs, before > 0 ? ceil_div(before, stride) : 0);
    const std::int64_t end = size + before > 0 ? std::min(outputs, ceil_div(size + before, stride)) : 0;
    found.push_back({begin, std::max(begin, end)});
  }
  return found;
}

WeightsTask WeightsBlocking::task(std::int64_t i) const {
  const std::int64_t part = i % (k_parts * c_parts);
  return {.group = i / (k_parts * c_parts),
          .k = base::split_range(k_blocks, static_cast<int>(k_parts), static_cast<int>(part / c_parts)),
          .c = base::split_range(c_blocks, static_cast<int>(c_parts), static_cast<int>(part % c_parts))};
}

std::int64_t WeightsBlocking::units() const {
  return ceil_div(samples, unit_samples) * ceil_div(rows, unit_rows);
}

PixelUnit WeightsBlocking::unit(std::int64_t i) const {
  const std::int64_t chunks = ceil_div(rows, unit_rows);
  const std::int64_t sample = i / chunks * unit_samples, row = i % chunks * unit_rows;
  return {.sample_begin = sample,
          .sample_end = std::min(samples, sample + unit_samples),
          .row_begin = row,
          .row_end = std::min(rows, row + unit_rows)};
}

WeightsGeometry weights_geometry(const ConvGeometry& conv) {
  const TapAxis rows{.taps = conv.r,
                     .stride = conv.stride_h,
                     .pad = conv.pad_top,
                     .dilation = conv.dilation_h,
                     .size = conv.h,
                     .outputs = conv.p};
  const TapAxis columns{.taps = conv.s,
                        .stride = conv.stride_w,
                        .pad = conv.pad_left,
                        .dilation = conv.dilation_w,
                        .size = conv.w,
                        .outputs = conv.q};
  return {conv, rows.ranges(), columns.ranges()};
}

WeightsBlocking choose_blocking(const ConvGeometry& g, std::int64_t lanes, int threads) {
  WeightsBlocking b{.scheme = scheme_of(g, lanes), .lanes = lanes, .samples = g.n, .rows = g.p};
  switch (b.scheme) {
    case WeightsScheme::blocked:
      block_blocked(g, threads, b);
      break;
    case WeightsScheme::thin:
      block_thin(g, threads, b);
      break;
    case WeightsScheme::depthwise:
      block_depthwise(g, threads, b);
      break;
  }
  feed_threads(threads, b);
  if (b.scheme == WeightsScheme::thin) place_lines(g, b);
  if (g.has_bias) b.biases = b.groups * b.k_blocks * b.lanes;
  return b;
}

KernelTraits weights_traits(const Problem& problem, const ConvGeometry& g, const WeightsBlocking& b) {
  KernelTraits traits;
  traits.inputs = {b.scheme == WeightsScheme::thin ? Layout::plain()
                                                   : activation_layout(problem.inputs[0], problem.family)};
  traits.params = {weight_layout(problem, b)};
  if (g.has_bias) traits.params.push_back(Layout::plain());
  traits.outputs = {activation_layout(problem.outputs[0], problem.family)};
  traits.workspace_bytes = b.workspace() * kFloat_bytes;
  traits.reads_inputs = {true};
  traits.reads_outputs = {false};
  return traits;
}

base::Verdict supports_direct_backward_weights(const Problem& problem) {
  if (problem.family != LayoutFamily::blocked)
    return base::Reason{base::str("only blocked layout, not ", name(problem.family))};
  if (problem.pass != Pass::backward_weights)
    return base::Reason{base::str("only backward_weights, not ", name(problem.pass))};
  const auto g = ConvGeometry::of(problem);
  if (!g) return g.reason();
  const std::int64_t lanes = family_block();
  if (g->groups > 1 && !g->is_depthwise() && (g->c_per_group() % lanes != 0 || g->k_per_group() % lanes != 0))
    return base::Reason{base::str("groups of ", g->c_per_group(), " to ", g->k_per_group(),
                                  " channels do not fill blocks of ", lanes)};
  return {};
}

// The MACs really done, those of padded lanes included and of taps in the padding left out, at the share of
// peak that the scheme reached on Zen 4; a single tap pays more for loading and storing its register tile.
double direct_backward_weights_seconds(const Problem& problem, const machine::Machine& machine) {
  const ConvGeometry g = ConvGeometry::of(problem).value();
  const WeightsBlocking b = choose_blocking(g, family_block(), machine.threads);
  const WeightsGeometry ranges = weights_geometry(g);
  const auto outputs = [](const std::vector<TapRange>& taps) {
    double sum = 0;
    for (const TapRange& tap : taps) sum += static_cast<double>(tap.end - tap.begin);
    return sum;
  };
  const double vectors = static_cast<double>(g.n * b.groups * b.k_blocks);
  const double thin_pixels = static_cast<double>(g.p * g.q * g.r * g.s * g.c);
  const double pixels = outputs(ranges.rows) * outputs(ranges.columns);
  const std::int64_t step = b.lanes / 2;
  const double channels = static_cast<double>(ceil_div(g.c_per_group(), step) * step);
  double macs = 0, share = 1;
  switch (b.scheme) {
    case WeightsScheme::blocked:
      macs = vectors * pixels * channels;
      share = g.r * g.s > 1 ? 0.97 : 0.87;
      break;
    case WeightsScheme::thin:
      macs = vectors * thin_pixels;
      share = 0.92;
      break;
    case WeightsScheme::depthwise:
      macs = vectors * pixels;
      share = 0.3;
      break;
  }
  const double flops = 2 * macs * static_cast<double>(b.lanes);
  const auto bytes = static_cast<double>(moved_bytes(problem));
  const double bandwidth =
      bytes <= static_cast<double>(machine.cache_bytes) ? machine.cache_bandwidth : machine.memory_bandwidth;
  return machine.dispatch_seconds + std::max(flops / (share * machine.f32_flops), bytes / bandwidth);
}

}  // namespace convoy::kernels::cpu
