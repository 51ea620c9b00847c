// Scale: y = factor * x, element by element, of any shape, scalars included: the weight of a loss among
// others, the amplitude of an activation. ONNX says it as Mul with a constant.
#include <cmath>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {{"factor", 1.0, true}};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  if (!std::isfinite(attributes.real("factor")))
    return base::Reason{base::str("factor is ", attributes.real("factor"), "; a number is wanted")};
  return same_shape(attributes, inputs);
}

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs, const graph::Signature&) {
  return elementwise_work(inputs, 1, 1, {1, 1});
}

void multiply(const graph::Attributes& attributes, std::span<const double> from, std::span<double> to) {
  const double factor = attributes.real("factor");
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = factor * from[i];
}

void forward(const ReferenceArgs& args) {
  multiply(args.attributes, f64(args.inputs[0]), f64(args.outputs[0]));
}

void backward(const ReferenceArgs& args) {
  multiply(args.attributes, f64(args.output_gradients[0]), wanted(args.input_gradients[0]));
}

std::vector<graph::LayerSample> samples() {
  return {{"image", {{"factor", 2.0}}, {{2, 3, 4, 4}}},
          {"matrix", {{"factor", 0.3}}, {{3, 17}}},
          {"negative", {{"factor", -1.7159}}, {{1, 6}}},
          {"to zero", {{"factor", 0.0}}, {{2, 3, 5}}}};
}

}  // namespace

const graph::LayerKind kScale = {.op = "Scale",
                                 .description = "factor * x, element by element",
                                 .attributes = kAttributes,
                                 .infer = infer,
                                 .work = work,
                                 .forward = forward,
                                 .backward = backward,
                                 .samples = samples,
                                 .traits = {.linear = true, .elementwise = true}};

}  // namespace convoy::layers
