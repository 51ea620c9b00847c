// Direct convolution, forward: vectors run along output channels, each input is broadcast to one.
//
//   input   nChw16c; one group of at most 4 channels (images): plain NCHW
//   weights OIhw16i16o; of images and depthwise Oihw16o; of groups that share blocks plain, packed in the
//   call output  nChw16c
// with 8 in place of 16 on AVX2.
#include "convoy/kernels/cpu/conv_direct.h"
#include "convoy/kernels/cpu/conv_direct_pass.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/family.h"

namespace convoy::kernels::cpu {
namespace {

// Up to here plain rows are read faster than blocks that are mostly padding, and images come in them.
constexpr std::int64_t kMostImageChannels = 4;

DirectPass direct_forward(const Problem& problem) {
  const ConvGeometry g = ConvGeometry::of(problem).value();
  const std::int64_t lanes = simd_lanes(), c_blocks = (g.c + lanes - 1) / lanes,
                     k_blocks = (g.k + lanes - 1) / lanes;
  const ChannelForm form = channel_form(g, lanes);
  const bool is_image = g.groups == 1 && g.c <= kMostImageChannels;
  DirectPass pass;
  pass.image = is_image ? Layout::plain() : activation_layout(problem.inputs[0], problem.family);
  CorrelationSpec& spec = pass.spec;
  spec.samples = g.n;
  spec.channels = g.k;
  spec.relu = g.relu;
  if (is_pointwise(g)) {
    const AxisGeometry pixels{.input = g.h * g.w, .output = g.p * g.q};
    spec.rows = {forward_axis({})};
    spec.columns = {forward_axis(pixels)};
  } else {
    spec.rows = {forward_axis({g.h, g.p, g.r, g.stride_h, g.pad_top, g.dilation_h})};
    spec.columns = {forward_axis({g.w, g.q, g.s, g.stride_w, g.pad_left, g.dilation_w})};
  }
  spec.x_pixel = is_image ? 1 : lanes;
  spec.x_line = spec.columns[0].in_size * spec.x_pixel;
  spec.x_block = g.h * g.w * spec.x_pixel;
  spec.x_sample = (is_image ? g.c : c_blocks) * spec.x_block;
  spec.y_pixel = lanes;
  spec.y_line = spec.columns[0].count * lanes;
  spec.y_block = g.p * g.q * lanes;
  spec.y_sample = k_blocks * spec.y_block;

  const bool by_pairs = form != ChannelForm::depthwise && !is_image;  // weights of 16 inputs times 16 outputs
  spec.inner = by_pairs ? std::min(g.groups == 1 ? g.c : lanes, lanes) : 1;
  if (is_image) spec.form = TileForm::taps;
  if (form == ChannelForm::depthwise) spec.form = TileForm::depthwise;
  spec.w_column = by_pairs ? lanes * lanes : lanes;
  spec.w_row = g.s * spec.w_column;
  spec.w_block = g.r * spec.w_row;
  const std::int64_t inputs = is_image                      ? g.c
                              : form == ChannelForm::blocks ? (g.c_per_group() + lanes - 1) / lanes
                                                            : 1;
  spec.w_vector = inputs * spec.w_block;
  switch (form) {
    case ChannelForm::blocks:
      pass.weights = weight_layout(problem, is_image ? "Abcd#a" : "ABcd#b#a", lanes);
      spec.units = block_units({.groups = g.groups,
                                .outputs = (g.k_per_group() + lanes - 1) / lanes,
                                .inputs = inputs,
                                .x_block = spec.x_block,
                                .w_vector = spec.w_vector});
      break;
    case ChannelForm::depthwise:
      pass.weights = weight_layout(problem, "Abcd#a", lanes);
      spec.units = depthwise_units(k_blocks, spec.x_block, spec.w_vector);
      break;
    case ChannelForm::mixed:
      pass.grouped.emplace(g, lanes, false);
      spec.units = pass.grouped->units(spec.x_block);
      break;
  }
  return pass;
}

}  // namespace

base::Verdict supports_direct_forward(const Problem& problem) {
  return supports_direct(problem, Pass::forward);
}

std::unique_ptr<Kernel> make_direct_forward(const Problem& problem) {
  return make_direct_pass(problem, direct_forward(problem));
}

double direct_forward_seconds(const Problem& problem, const machine::Machine& machine) {
  return direct_pass_seconds(problem, machine, direct_forward(problem));
}

}  // namespace convoy::kernels::cpu
