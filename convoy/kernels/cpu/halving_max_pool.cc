#include "convoy/kernels/cpu/halving_max_pool.h"

#include "convoy/layers/window.h"

namespace convoy::kernels::cpu {

base::Verdict check_halving_max_pool(const Problem& problem) {
  if (problem.type != tensor::DType::f32)
    return base::Reason{base::str("only f32, not ", tensor::name(problem.type))};
  if (problem.epilogue != Epilogue::none) return base::Reason{"no relu behind a maximum: put it before"};
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"MaxPool has no parameters"};
  const layers::Window w = layers::resolve_window(problem.attributes, problem.inputs[0]).value();
  const std::vector<std::int64_t> one{1, 1}, two{2, 2}, zero{0, 0};
  if (w.kernel != two || w.strides != two || w.dilations != one || w.pads_begin != zero)
    return base::Reason{"only windows of 2x2 with stride 2 and no padding"};
  for (std::size_t d = 0; d < 2; ++d)
    if (2 * w.output[d] > w.input[d]) return base::Reason{"the last window hangs over the edge"};
  return {};
}

}  // namespace convoy::kernels::cpu
