// Direct convolution, backward_data: the correlation of dY with the filters, vectors along input channels,
// each dY broadcast to one. Strides become phases (conv_direct_axis.h), so that no zero between outputs is
// multiplied.
//
//   dY, dX  nChw16c
//   weights OIhw with blocks of input channels outermost and 16o16i inside; depthwise Oihw16o; of groups that
//           share blocks plain, packed in the call
// with 8 in place of 16 on AVX2.
#include "convoy/kernels/cpu/conv_direct.h"
#include "convoy/kernels/cpu/conv_direct_pass.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/family.h"

namespace convoy::kernels::cpu {
namespace {

DirectPass direct_backward_data(const Problem& problem) {
  const ConvGeometry g = ConvGeometry::of(problem).value();
  const std::int64_t lanes = simd_lanes(), c_blocks = (g.c + lanes - 1) / lanes,
                     k_blocks = (g.k + lanes - 1) / lanes;
  const ChannelForm form = channel_form(g, lanes);
  DirectPass pass;
  pass.image = activation_layout(problem.inputs[0], problem.family);
  CorrelationSpec& spec = pass.spec;
  spec.samples = g.n;
  spec.channels = g.c;
  if (is_pointwise(g)) {
    spec.rows = backward_axes({});
    spec.columns = backward_axes({.input = g.h * g.w, .output = g.p * g.q});
  } else {
    spec.rows = backward_axes({g.h, g.p, g.r, g.stride_h, g.pad_top, g.dilation_h});
    spec.columns = backward_axes({g.w, g.q, g.s, g.stride_w, g.pad_left, g.dilation_w});
  }
  spec.x_pixel = lanes;
  spec.x_line = spec.columns[0].in_size * lanes;
  spec.x_block = g.p * g.q * lanes;
  spec.x_sample = k_blocks * spec.x_block;
  spec.y_pixel = lanes;
  spec.y_line = (is_pointwise(g) ? g.h * g.w : g.w) * lanes;
  spec.y_block = g.h * g.w * lanes;
  spec.y_sample = c_blocks * spec.y_block;

  const bool is_depthwise = form == ChannelForm::depthwise;
  if (is_depthwise) spec.form = TileForm::depthwise;
  spec.inner = is_depthwise ? 1 : std::min(g.groups == 1 ? g.k : lanes, lanes);
  spec.w_column = is_depthwise ? lanes : lanes * lanes;
  spec.w_row = g.s * spec.w_column;
  spec.w_block = g.r * spec.w_row;
  const std::int64_t inputs = form == ChannelForm::blocks ? (g.k_per_group() + lanes - 1) / lanes : 1;
  spec.w_vector = inputs * spec.w_block;
  switch (form) {
    case ChannelForm::blocks:
      pass.weights =
          weight_layout(problem, g.groups == 1 ? "BAcd#a#b" : base::str("g", g.groups, ":aCBde#b#c"), lanes);
      spec.units = block_units({.groups = g.groups,
                                .outputs = (g.c_per_group() + lanes - 1) / lanes,
                                .inputs = inputs,
                                .x_block = spec.x_block,
                                .w_vector = spec.w_vector});
      break;
    case ChannelForm::depthwise:
      pass.weights = weight_layout(problem, "Abcd#a", lanes);
      spec.units = depthwise_units(c_blocks, spec.x_block, spec.w_vector);
      break;
    case ChannelForm::mixed:
      pass.grouped.emplace(g, lanes, true);
      spec.units = pass.grouped->units(spec.x_block);
      break;
  }
  return pass;
}

}  // namespace

base::Verdict supports_direct_backward_data(const Problem& problem) {
  return supports_direct(problem, Pass::backward_data);
}

std::unique_ptr<Kernel> make_direct_backward_data(const Problem& problem) {
  return make_direct_pass(problem, direct_backward_data(problem));
}

double direct_backward_data_seconds(const Problem& problem, const machine::Machine& machine) {
  return direct_pass_seconds(problem, machine, direct_backward_data(problem));
}

}  // namespace convoy::kernels::cpu
