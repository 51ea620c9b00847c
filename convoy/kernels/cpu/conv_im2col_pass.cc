#include "convoy/kernels/cpu/conv_im2col_pass.h"

#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::int64_t blocks_of(std::int64_t channels) { return ceil_div(channels, simd_lanes()); }

// Pixels of x's gradient at (row + i stride_h, column + j stride_w) meet the same taps: those whose distance
// from the pixel is a multiple of the strides. docs/algorithms.md, "Convolution as a matrix product".
struct Phase {
  std::int64_t row = 0, column = 0;
  Lowering lowering;                // from dy to these pixels
  std::vector<std::int64_t> index;  // of each of its taps among all
};

Phase make_phase(const ConvGeometry& g, std::int64_t row, std::int64_t column) {
  Phase phase{row, column, {}, {}};
  Lowering& l = phase.lowering;
  l.source_h = g.p;
  l.source_w = g.q;
  l.grid_h = (g.h - row + g.stride_h - 1) / g.stride_h;
  l.grid_w = (g.w - column + g.stride_w - 1) / g.stride_w;
  for (std::int64_t r = 0; r < g.r; ++r)
    for (std::int64_t s = 0; s < g.s; ++s) {
      const std::int64_t down = row + g.pad_top - r * g.dilation_h,
                         right = column + g.pad_left - s * g.dilation_w;
      if (down % g.stride_h != 0 || right % g.stride_w != 0) continue;
      l.taps.push_back({down / g.stride_h, right / g.stride_w});
      phase.index.push_back(r * g.s + s);
    }
  return phase;
}

}  // namespace

Lowering forward_lowering(const ConvGeometry& g) {
  Lowering l{.source_h = g.h,
             .source_w = g.w,
             .grid_h = g.p,
             .grid_w = g.q,
             .stride_h = g.stride_h,
             .stride_w = g.stride_w,
             .taps = {}};
  for (std::int64_t r = 0; r < g.r; ++r)
    for (std::int64_t s = 0; s < g.s; ++s)
      l.taps.push_back({r * g.dilation_h - g.pad_top, s * g.dilation_w - g.pad_left});
  return l;
}

Im2colPass::Im2colPass(const Im2colSpec& spec) : threads_(spec.threads) {
  if (spec.pass == Pass::forward)
    prepare_forward(spec);
  else if (spec.pass == Pass::backward_data)
    prepare_backward_data(spec);
  else
    prepare_weights(spec);
}

void Im2colPass::prepare_forward(const Im2colSpec& spec) {
  const ConvGeometry& g = spec.geometry;
  const std::int64_t lanes = simd_lanes(), square = lanes * lanes;
  if (spec.form != Im2colForm::blocks) {
    const bool is_plain = spec.form == Im2colForm::thin_plain;
    thin_.emplace(ThinSpec{.lowering = forward_lowering(g),
                           .images = g.n,
                           .channels = g.c,
                           .panels = blocks_of(g.k),
                           .channel_stride = is_plain ? g.h * g.w : 1,
                           .pixel_stride = is_plain ? 1 : lanes,
                           .image_stride = g.h * g.w * (is_plain ? g.c : lanes),
                           .bias_count = g.k,
                           .relu = g.relu,
                           .whole_images = spec.is_explicit,
                           .threads = spec.threads});
    return;
  }
  if (!spec.is_explicit && FramedProduct::suits(forward_lowering(g))) {
    framed_.emplace(FramedSpec{.lowering = forward_lowering(g),
                               .images = g.n,
                               .groups = g.groups,
                               .source_channels = g.c_per_group(),
                               .target_panels = blocks_of(g.k_per_group()),
                               .bias_count = g.k_per_group(),
                               .relu = g.relu,
                               .threads = spec.threads});
    return;
  }
  GatherSpec gather{.lowering = forward_lowering(g),
                    .images = g.n,
                    .groups = g.groups,
                    .source_channels = g.c_per_group(),
                    .target_panels = blocks_of(g.k_per_group()),
                    .target_h = g.p,
                    .target_w = g.q,
                    .bias_count = g.k_per_group(),
                    .relu = g.relu,
                    .whole_images = spec.is_explicit,
                    .threads = spec.threads};
  const std::int64_t entries = blocks_of(g.c_per_group()) * g.r * g.s;
  for (std::int64_t e = 0; e < entries; ++e) gather.weight_blocks.push_back(e * square);
  gather.weight_panel_stride = entries * square;
  gather.weight_group_stride = gather.target_panels * gather.weight_panel_stride;
  gathers_.emplace_back(std::move(gather));
}

void Im2colPass::prepare_backward_data(const Im2colSpec& spec) {
  const ConvGeometry& g = spec.geometry;
  const std::int64_t square = simd_lanes() * simd_lanes(), taps = g.r * g.s;
  const std::int64_t x_blocks = blocks_of(g.c_per_group()), y_blocks = blocks_of(g.k_per_group());
  const Lowering forward = forward_lowering(g);
  if (spec.is_explicit && !forward.is_identity()) {
    raise_.emplace(RaiseSpec{.lowering = forward,
                             .images = g.n,
                             .groups = g.groups,
                             .x_blocks = x_blocks,
                             .y_blocks = y_blocks,
                             .threads = spec.threads});
    return;
  }
  // Strided and dilated, one phase may have all taps and another none.
  std::size_t most_taps = 0;
  for (std::int64_t row = 0; row < std::min(g.stride_h, g.h); ++row)
    for (std::int64_t column = 0; column < std::min(g.stride_w, g.w); ++column)
      most_taps = std::max(most_taps, make_phase(g, row, column).index.size());
  for (std::int64_t row = 0; row < std::min(g.stride_h, g.h); ++row)
    for (std::int64_t column = 0; column < std::min(g.stride_w, g.w); ++column) {
      const Phase phase = make_phase(g, row, column);
      GatherSpec gather{.lowering = phase.lowering,
                        .images = g.n,
                        .groups = g.groups,
                        .source_channels = g.k_per_group(),
                        .target_panels = x_blocks,
                        .target_h = g.h,
                        .target_w = g.w,
                        .target_stride_h = g.stride_h,
                        .target_stride_w = g.stride_w,
                        .target_row = row,
                        .target_column = column,
                        .weight_panel_stride = y_blocks * taps * square,
                        .weight_group_stride = x_blocks * y_blocks * taps * square,
                        .threads = spec.threads,
                        .cut_entries = y_blocks * static_cast<std::int64_t>(most_taps),
                        .cut_rows = ceil_div(g.h, g.stride_h),
                        .cut_columns = ceil_div(g.w, g.stride_w)};
      for (std::int64_t block = 0; block < y_blocks; ++block)
        for (const std::int64_t tap : phase.index)
          gather.weight_blocks.push_back((block * taps + tap) * square);
      gathers_.emplace_back(std::move(gather));
      CONVOY_CHECK(gathers_.back().units() == gathers_.front().units(), "phases are cut alike");
    }
}

void Im2colPass::prepare_weights(const Im2colSpec& spec) {
  const ConvGeometry& g = spec.geometry;
  const bool is_plain = spec.form == Im2colForm::thin_plain, is_thin = spec.form != Im2colForm::blocks;
  weights_.emplace(WeightsSpec{.lowering = forward_lowering(g),
                               .images = g.n,
                               .groups = g.groups,
                               .channels = is_thin ? g.c : blocks_of(g.c_per_group()),
                               .panels = blocks_of(g.k_per_group()),
                               .thin = is_thin,
                               .channel_stride = is_plain ? g.h * g.w : 1,
                               .pixel_stride = is_plain ? 1 : simd_lanes(),
                               .image_stride = g.h * g.w * (is_plain ? g.c : simd_lanes()),
                               .whole_images = spec.is_explicit,
                               .threads = spec.threads});
}

std::int64_t Im2colPass::scratch_count() const {
  std::int64_t count = 0;
  for (const GatherProduct& gather : gathers_) count = std::max(count, gather.scratch_count());
  if (thin_) count = thin_->scratch_count();
  if (framed_) count = framed_->scratch_count();
  if (raise_) count = raise_->scratch_count();
  if (weights_) count = weights_->scratch_count();
  return count * threads_;
}

// Unit by unit, and in each the phases of the strides in turn: together they fill whole cache lines of the
// target.
void Im2colPass::run_gathers(const GatherOperands& operands, float* scratch) const noexcept {
  const std::int64_t units = gathers_.front().units(), own = scratch_count() / threads_;
  const int parts = static_cast<int>(std::min<std::int64_t>(units, threads_));
  base::parallel_for(parts, 1, [&](base::IndexRange range) {
    for (std::int64_t part = range.begin; part < range.end; ++part) {
      const auto mine = base::split_range(units, parts, static_cast<int>(part));
      for (std::int64_t unit = mine.begin; unit < mine.end; ++unit)
        for (const GatherProduct& gather : gathers_)
          gather.run_units({unit, unit + 1}, operands, scratch + part * own);
    }
  });
}

void Im2colPass::run(const Im2colArgs& args, float* scratch) const noexcept {
  if (weights_) {
    weights_->run({args.x, args.dy, args.dw, args.accumulate}, scratch);
    return;
  }
  if (thin_) thin_->run({args.x, args.weights, args.bias, args.y}, scratch);
  if (raise_) raise_->run({args.dy, args.weights, nullptr, args.dx}, scratch);
  const GatherOperands operands{args.y != nullptr ? args.x : args.dy, args.weights, args.bias,
                                args.y != nullptr ? args.y : args.dx};
  if (framed_) framed_->run(operands, scratch);
  if (!gathers_.empty()) run_gathers(operands, scratch);
}

}  // namespace convoy::kernels::cpu
