// Sigmoid: y = 1 / (1 + exp(-x)), element by element; dx = dy * y * (1 - y).
// Source: ONNX operator Sigmoid-13.
#include <cmath>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs, const graph::Signature&) {
  return elementwise_work(inputs, 4, 4, {.flops = 3, .depth = 2});
}

// exp of a negative number only, so that it cannot overflow.
double sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  const auto y = f64(args.outputs[0]);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = sigmoid(x[i]);
}

void backward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]), dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] = dy[i] * sigmoid(x[i]) * sigmoid(-x[i]);
}

std::vector<graph::LayerSample> samples() {
  return {{"image", {}, {{2, 3, 5, 4}}}, {"matrix", {}, {{3, 17}}}, {"batch 1", {}, {{1, 1}}}};
}

}  // namespace

const graph::LayerKind kSigmoid = {.op = "Sigmoid",
                                   .description = "1 / (1 + exp(-x))",
                                   .infer = same_shape,
                                   .work = work,
                                   .forward = forward,
                                   .backward = backward,
                                   .samples = samples,
                                   .traits = {.elementwise = true}};

}  // namespace convoy::layers
