// RadialBasis: minus the squared Euclidean distance to each of K fixed centres.
//
//   y[n,k] = -sum over c of (x[n,c] - centres[k,c])^2,   dx[n,c] = -2 sum over k of dy[n,k] (x[n,c] -
//   centres[k,c])
//
// x {N, C}, y {N, K}. The centres are whole numbers and part of the model, not learned: `centres` lists K
// rows of C. Under a softmax, -y[label] + log sum exp(y) is the criterion of maximum a posteriori of LeNet-5
// without its constant for the class of what is no character. ONNX has no such operator. Source: LeCun,
// Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition, 1998, equations 7 and 9.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {{"centres", std::vector<std::int64_t>{}, true}};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const auto count = static_cast<std::int64_t>(attributes.integers("centres").size());
  const tensor::Shape& input = inputs[0];
  if (input.rank() != 2)
    return base::Reason{base::str("the input has ", input.rank(),
                                  " dimensions; {N, features} is wanted: put a Flatten before")};
  if (count == 0 || count % input[1] != 0)
    return base::Reason{
        base::str("centres has ", count, " numbers; a multiple of the ", input[1], " features is wanted")};
  return graph::Signature{.outputs = {{input[0], count / input[1]}}, .params = {}};
}

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs,
                 const graph::Signature& signature) {
  // A difference, a square, a sum each; backward a difference, a product, a sum each, and the factor of dx.
  const std::int64_t pairs = signature.outputs[0].count() * inputs[0][1];
  return {.other_flops = 3 * pairs,
          .other_flops_backward = 3 * pairs + inputs[0].count(),
          .depth = ceil_log2(inputs[0][1]) + 2,
          .depth_backward_data = ceil_log2(signature.outputs[0][1]) + 3};
}

// Calls visit(index in x, index in y, x - centre) for every term.
template <class Visit>
void for_each_term(const ReferenceArgs& args, Visit&& visit) {
  const std::vector<std::int64_t>& centres = args.attributes.integers("centres");
  const auto x = f64(args.inputs[0]);
  const std::size_t features = at(args.inputs[0].shape()[1]), units = centres.size() / features;
  for (std::size_t n = 0; n < at(args.inputs[0].shape()[0]); ++n)
    for (std::size_t k = 0; k < units; ++k)
      for (std::size_t c = 0; c < features; ++c)
        visit(n * features + c, n * units + k,
              x[n * features + c] - static_cast<double>(centres[k * features + c]));
}

void forward(const ReferenceArgs& args) {
  const auto y = f64(args.outputs[0]);
  std::fill(y.begin(), y.end(), 0.0);
  for_each_term(args, [&](std::size_t, std::size_t iy, double distance) { y[iy] -= distance * distance; });
}

void backward(const ReferenceArgs& args) {
  const auto dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  if (dx.empty()) return;
  std::fill(dx.begin(), dx.end(), 0.0);
  for_each_term(args,
                [&](std::size_t ix, std::size_t iy, double distance) { dx[ix] -= 2 * dy[iy] * distance; });
}

std::vector<graph::LayerSample> samples() {
  using Ints = std::vector<std::int64_t>;
  return {{"three of two features", {{"centres", Ints{1, -1, -1, 1, 1, 1}}}, {{4, 2}}},
          {"one centre", {{"centres", Ints{0, 2, -3}}}, {{2, 3}}},
          {"one feature, batch 1", {{"centres", Ints{-1, 1}}}, {{1, 1}}}};
}

}  // namespace

const graph::LayerKind kRadialBasis = {.op = "RadialBasis",
                                       .description = "minus the squared distance to each of the centres",
                                       .attributes = kAttributes,
                                       .infer = infer,
                                       .work = work,
                                       .forward = forward,
                                       .backward = backward,
                                       .samples = samples,
                                       .traits = {}};

}  // namespace convoy::layers
