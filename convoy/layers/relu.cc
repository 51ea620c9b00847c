// Relu: y = max(x, 0), element by element; the derivative at 0 is 0.
// Source: ONNX operator Relu-14.
#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs, const graph::Signature&) {
  return elementwise_work(inputs, 1, 1, {1, 1});
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  const auto y = f64(args.outputs[0]);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] <= 0 ? 0.0 : x[i];  // NaN passes: it must show
}

void backward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]), dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] = x[i] > 0 ? dy[i] : 0.0;
}

std::vector<graph::LayerSample> samples() {
  return {{"image", {}, {{2, 3, 5, 4}}}, {"matrix", {}, {{3, 17}}}, {"batch 1", {}, {{1, 1}}}};
}

}  // namespace

const graph::LayerKind kRelu = {.op = "Relu",
                                .description = "max(x, 0)",
                                .infer = same_shape,
                                .work = work,
                                .forward = forward,
                                .backward = backward,
                                .samples = samples,
                                .traits = {.elementwise = true, .has_kinks = true}};

}  // namespace convoy::layers
