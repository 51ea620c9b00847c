// Dropout: in training each element is zero with probability `ratio` and else divided by 1 - ratio, so that
// the expectation stays; in inference y = x.
//
//   y[n,i] = 0                       if DropoutMask drops element i of global sample first_sample + n
//   y[n,i] = x[n,i] / (1 - ratio)    else
//
// The gradient passes through the same mask, drawn again. Source: ONNX operator Dropout-13, whose `ratio` is
// an input there and an attribute here; Srivastava et al. 2014. Draws: layers/dropout_mask.h.
#include "convoy/base/check.h"
#include "convoy/layers/catalog.h"
#include "convoy/layers/dropout_mask.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {{"ratio", 0.5}};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const double ratio = attributes.real("ratio");
  if (!(ratio >= 0 && ratio < 1)) return base::Reason{base::str("ratio is ", ratio, ", not in [0, 1)")};
  if (inputs[0].rank() < 1) return base::Reason{"a scalar has no samples"};
  return graph::Signature{.outputs = {inputs[0]}, .params = {}};
}

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs, const graph::Signature&) {
  return elementwise_work(inputs, 2, 2,
                          {1, 1});  // the draws are not counted: they are no arithmetic of the net
}

void apply(const ReferenceArgs& args, std::span<const double> from, std::span<double> to) {
  const tensor::Shape& shape = args.inputs[0].shape();
  const double ratio = args.attributes.real("ratio");
  if (!args.context.training) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[i];
    return;
  }
  const DropoutMask mask(args.context.key, args.context.layer_index);
  const std::uint32_t threshold = DropoutMask::threshold(ratio);
  const std::size_t elements = at(shape.count_from(1));
  CONVOY_CHECK(elements / 4 < (std::size_t{1} << 32), "sample of ", elements);
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::size_t element = i % elements;
    const auto sample =
        static_cast<std::uint32_t>(args.context.key.first_sample) + static_cast<std::uint32_t>(i / elements);
    const auto draws = mask.draw(static_cast<std::uint32_t>(element / 4), sample);
    to[i] = draws[element % 4] < threshold ? 0.0 : from[i] / (1 - ratio);
  }
}

void forward(const ReferenceArgs& args) { apply(args, f64(args.inputs[0]), f64(args.outputs[0])); }

void backward(const ReferenceArgs& args) {
  apply(args, f64(args.output_gradients[0]), wanted(args.input_gradients[0]));
}

std::vector<graph::LayerSample> samples() {
  return {{"half", {}, {{4, 10}}},
          {"rare", {{"ratio", 0.1}}, {{2, 3, 5, 5}}},
          {"never", {{"ratio", 0.0}}, {{2, 7}}},
          {"batch 1, odd size", {{"ratio", 0.75}}, {{1, 13}}}};
}

}  // namespace

const graph::LayerKind kDropout = {.op = "Dropout",
                                   .description = "drops elements at random in training",
                                   .attributes = kAttributes,
                                   .infer = infer,
                                   .work = work,
                                   .forward = forward,
                                   .backward = backward,
                                   .samples = samples,
                                   .traits = {.linear = true, .elementwise = true, .random = true}};

}  // namespace convoy::layers
