#include "convoy/kernels/cpu/conv_geometry.h"

#include "convoy/kernels/cpu/simd.h"
#include "convoy/layers/window.h"

namespace convoy::kernels::cpu {

base::Result<ConvGeometry> ConvGeometry::of(const Problem& problem) {
  if (problem.type != tensor::DType::f32)
    return base::Reason{base::str("only float32, not ", tensor::name(problem.type))};
  if (simd_lanes() < 8) return base::Reason{"needs a processor with AVX2 or AVX-512"};
  const tensor::Shape &x = problem.inputs[0], &y = problem.outputs[0], &weight = problem.params[0].shape;
  if (x.rank() > 4) return base::Reason{base::str("only 1 or 2 spatial dimensions, not ", x.rank() - 2)};
  const auto window = layers::resolve_window(problem.attributes, x);
  if (!window) return window.reason();
  const std::size_t last = static_cast<std::size_t>(window->rank() - 1);
  ConvGeometry g{.n = x[0],
                 .c = x[1],
                 .h = 1,
                 .w = window->input[last],
                 .k = weight[0],
                 .r = 1,
                 .s = window->kernel[last],
                 .p = 1,
                 .q = y[y.rank() - 1],
                 .groups = problem.attributes.integer("group"),
                 .stride_w = window->strides[last],
                 .pad_left = window->pads_begin[last],
                 .pad_right = window->pads_end[last],
                 .dilation_w = window->dilations[last],
                 .has_bias = problem.params.size() > 1,
                 .relu = problem.epilogue == Epilogue::relu};
  if (last == 1) {
    g.h = window->input[0];
    g.r = window->kernel[0];
    g.p = y[2];
    g.stride_h = window->strides[0];
    g.pad_top = window->pads_begin[0];
    g.pad_bottom = window->pads_end[0];
    g.dilation_h = window->dilations[0];
  }
  return g;
}

}  // namespace convoy::kernels::cpu
