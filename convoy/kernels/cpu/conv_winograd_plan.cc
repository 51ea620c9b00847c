#include "convoy/kernels/cpu/conv_winograd_plan.h"

#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/kernels/family.h"
#include "convoy/kernels/layout_map.h"

namespace convoy::kernels::cpu {
namespace {

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
  DataBlocking blocking{.depth = 4 * shape.lanes};
  blocking.by_panels =
      (filter_bytes >= (4 << 20) && tile_bytes * shape.tiles <= (24 << 20)) || shape.tiles < 24 * threads;
  const std::int64_t rows = shape.lanes == 16 ? 14 : 6;
  const std::int64_t fitting = (400 << 10) / tile_bytes / rows * rows;
  blocking.tiles = blocking.by_panels ? shape.tiles : std::clamp<std::int64_t>(fitting, 2 * rows, 4 * rows);
  if (!blocking.by_panels) blocking.depth = shape.in.channel_blocks * shape.lanes;
  return blocking;
}

WeightsBlocking weights_blocking(const WinogradShape& shape, int threads) {
  const std::int64_t tile_bytes =
      shape.points * (shape.in.channel_blocks + shape.out.channel_blocks) * shape.lanes * 4;
  const std::int64_t sum_bytes =
      shape.points * shape.in.channel_blocks * shape.out.channel_blocks * shape.lanes * shape.lanes * 4;
  WeightsBlocking blocking{.channel_blocks = 4};
  blocking.by_filters = sum_bytes > (3 << 20) || shape.tiles < 24 * threads;
  const std::int64_t budget = blocking.by_filters ? 16 << 20 : 768 << 10;
  const std::int64_t fitting = budget / tile_bytes / shape.lanes * shape.lanes;
  blocking.tiles = std::min(shape.tiles, std::max<std::int64_t>(fitting, 2 * shape.lanes));
  return blocking;
}

WinogradSteps winograd_steps(WinogradVariant variant) {
  if (variant.r == 5) return winograd_steps_f2r5();
  if (variant.m == 2) return winograd_steps_f2();
  return variant.m == 4 ? winograd_steps_f4() : winograd_steps_f6();
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
