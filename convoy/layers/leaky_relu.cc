// LeakyRelu: y = x for x > 0, alpha * x elsewhere, element by element; the derivative at 0 is alpha.
// Source: ONNX operator LeakyRelu-16.
#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {{"alpha", 0.01}};

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs, const graph::Signature&) {
  return elementwise_work(inputs, 2, 2, {2, 2});
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  const auto y = f64(args.outputs[0]);
  const double alpha = args.attributes.real("alpha");
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] > 0 ? x[i] : alpha * x[i];
}

void backward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]), dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  const double alpha = args.attributes.real("alpha");
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] = x[i] > 0 ? dy[i] : alpha * dy[i];
}

std::vector<graph::LayerSample> samples() {
  return {{"image", {}, {{2, 3, 5, 4}}},
          {"matrix", {}, {{3, 17}}},
          {"batch 1", {}, {{1, 1}}},
          {"steep", {{"alpha", 0.5}}, {{2, 5}}},
          {"negative slope", {{"alpha", -1.25}}, {{2, 5}}}};
}

}  // namespace

const graph::LayerKind kLeakyRelu = {.op = "LeakyRelu",
                                     .description = "x where positive, alpha * x elsewhere",
                                     .attributes = kAttributes,
                                     .infer = same_shape,
                                     .work = work,
                                     .forward = forward,
                                     .backward = backward,
                                     .samples = samples,
                                     .traits = {.elementwise = true, .has_kinks = true}};

}  // namespace convoy::layers
