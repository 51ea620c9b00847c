// SparsityPenalty: the mean over the global minibatch and the elements of a sample of a smooth magnitude,
// which keeps most of them near 0. Over what LpPool with p = 2 gives it is the paper's penalty of the pooled
// squares.
//
//   loss = 1/(B*E) * sum over n, e of sqrt(epsilon + x[n,e]^2),   dx = x / sqrt(epsilon + x^2) / (B*E)
//
// B is EvalContext::global_batch, so that the penalties of the ranks add up; E the elements of a sample. The
// loss is a scalar; epsilon 0 makes it the L1 norm, whose derivative at 0 is taken as 0. ONNX has no such
// operator. Source: Coates et al. 2013, equation 1; Le et al., Building High-Level Features Using Large Scale
// Unsupervised Learning, 2012, section 3.
#include <cmath>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {{"epsilon", 1e-4}};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  if (!(attributes.real("epsilon") >= 0))
    return base::Reason{base::str("epsilon is ", attributes.real("epsilon"), "; 0 or more is wanted")};
  if (inputs[0].rank() < 1) return base::Reason{"the input needs a batch dimension"};
  return graph::Signature{.outputs = {tensor::Shape{}}, .params = {}};
}

// Square, sum, root, total; the same root and a quotient backward, by whose scale the seed is multiplied
// once.
graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs, const graph::Signature&) {
  return elementwise_work(inputs, 4, ceil_log2(inputs[0].count()) + 4, {.flops = 5, .depth = 5});
}

double weight(const ReferenceArgs& args) {
  return 1 / (static_cast<double>(args.context.global_batch) *
              static_cast<double>(args.inputs[0].shape().count_from(1)));
}

void forward(const ReferenceArgs& args) {
  const double epsilon = args.attributes.real("epsilon");
  double sum = 0;
  for (const double x : f64(args.inputs[0])) sum += std::sqrt(epsilon + x * x);
  f64(args.outputs[0])[0] = sum * weight(args);
}

void backward(const ReferenceArgs& args) {
  const double epsilon = args.attributes.real("epsilon");
  const auto x = f64(args.inputs[0]);
  const auto dx = wanted(args.input_gradients[0]);
  const double scale = weight(args) * f64(args.output_gradients[0])[0];
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const double magnitude = std::sqrt(epsilon + x[i] * x[i]);
    dx[i] = magnitude > 0 ? scale * x[i] / magnitude : 0;
  }
}

std::vector<graph::LayerSample> samples() {
  return {{"vectors", {{"epsilon", 0.01}}, {{4, 6}}},
          {"images", {{"epsilon", 0.1}}, {{2, 3, 4, 5}}},
          {"magnitudes", {{"epsilon", 0.0}}, {{3, 7}}},
          {"batch 1", {}, {{1, 1}}}};
}

}  // namespace

const graph::LayerKind kSparsityPenalty = {
    .op = "SparsityPenalty",
    .description = "mean smooth magnitude, which makes activations sparse",
    .attributes = kAttributes,
    .infer = infer,
    .work = work,
    .forward = forward,
    .backward = backward,
    .samples = samples,
    .traits = {.is_loss = true, .has_kinks = true}};

}  // namespace convoy::layers
