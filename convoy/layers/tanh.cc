// Tanh: y = tanh(x), element by element; dx = dy * (1 - y^2).
// Source: ONNX operator Tanh-13.
#include <cmath>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs, const graph::Signature&) {
  // (e^2x - 1) / (e^2x + 1): the difference beside the sum. Backward: square, subtract, multiply.
  return elementwise_work(inputs, 5, 4, {.flops = 3, .depth = 3});
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  const auto y = f64(args.outputs[0]);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = std::tanh(x[i]);
}

void backward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]), dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const double y = std::tanh(x[i]);
    dx[i] = dy[i] * (1 - y) * (1 + y);
  }
}

std::vector<graph::LayerSample> samples() {
  return {{"image", {}, {{2, 3, 5, 4}}}, {"matrix", {}, {{3, 17}}}, {"batch 1", {}, {{1, 1}}}};
}

}  // namespace

const graph::LayerKind kTanh = {.op = "Tanh",
                                .description = "hyperbolic tangent",
                                .infer = same_shape,
                                .work = work,
                                .forward = forward,
                                .backward = backward,
                                .samples = samples,
                                .traits = {.elementwise = true}};

}  // namespace convoy::layers
