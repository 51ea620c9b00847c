// LRN: local response normalisation across channels.
//
//   y[n,c,p] = x[n,c,p] / s[n,c,p]^beta,   s[n,c,p] = bias + alpha/size * sum over j of x[n,j,p]^2
//
// for j from c - floor((size-1)/2) to c + ceil((size-1)/2), within the channels. With g = dy:
//
//   dx[c] = g[c] * s[c]^-beta - 2*alpha*beta/size * x[c] * sum over j of  g[j] * x[j] * s[j]^(-beta-1)
//
// over those j whose sum contains c. x, y {N, C, spatial…}.
// Source: ONNX operator LRN-13; Krizhevsky, Sutskever, Hinton 2012, section 3.3 (alpha there is alpha/size).
#include <algorithm>
#include <cmath>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {
    {"size", std::int64_t{0}, true},
    {"alpha", 1e-4},
    {"beta", 0.75},
    {"bias", 1.0},
};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  if (inputs[0].rank() < 2)
    return base::Reason{base::str("the input has ", inputs[0].rank(), " dimensions; {N, C, ...} is wanted")};
  if (attributes.integer("size") < 1)
    return base::Reason{base::str("size is ", attributes.integer("size"), "; at least 1 is wanted")};
  if (!(attributes.real("bias") > 0) || !(attributes.real("alpha") >= 0))
    return base::Reason{"bias must be positive and alpha not negative, or the power is undefined"};
  const std::int64_t terms = std::min(attributes.integer("size"), inputs[0][1]) + 4;
  if (const auto verdict = check_work(inputs[0], terms); !verdict) return verdict.reason();
  return graph::Signature{.outputs = {inputs[0]}, .params = {}};
}

graph::Work work(const graph::Attributes& attributes, std::span<const tensor::Shape> inputs,
                 const graph::Signature&) {
  const std::int64_t size = std::min(attributes.integer("size"), inputs[0][1]);
  const std::int64_t tree = ceil_log2(size);
  // Square, sum, scale and shift, power, multiply. Backward, with y and s kept: dy y / s, its sum, times x
  // and a constant; dy s^-beta; the difference.
  return elementwise_work(inputs, size + 4, tree + 4, {.flops = size + 7, .depth = tree + 4});
}

struct Problem {
  explicit Problem(const ReferenceArgs& args)
      : channels(args.inputs[0].shape()[1]),
        positions(args.inputs[0].shape().count_from(2)),
        before((args.attributes.integer("size") - 1) / 2),
        after(args.attributes.integer("size") / 2),
        scale(args.attributes.real("alpha") / static_cast<double>(args.attributes.integer("size"))),
        beta(args.attributes.real("beta")),
        bias(args.attributes.real("bias")),
        x(f64(args.inputs[0])) {}

  // Calls visit(j index) for the channels from c - low to c + high of element i.
  template <class Visit>
  void for_each_neighbour(std::int64_t i, std::int64_t low, std::int64_t high, Visit&& visit) const {
    const std::int64_t c = i / positions % channels;
    for (std::int64_t j = c - std::min(low, c); j <= c + std::min(high, channels - 1 - c); ++j)
      visit(at(i + (j - c) * positions));
  }

  std::vector<double> normalisers() const {
    std::vector<double> s(x.size(), bias);
    for (std::size_t i = 0; i < s.size(); ++i)
      for_each_neighbour(static_cast<std::int64_t>(i), before, after,
                         [&](std::size_t j) { s[i] += scale * x[j] * x[j]; });
    return s;
  }

  std::int64_t channels, positions, before, after;
  double scale, beta, bias;
  std::span<const double> x;
};

void forward(const ReferenceArgs& args) {
  const Problem p(args);
  const std::vector<double> s = p.normalisers();
  const auto y = f64(args.outputs[0]);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = p.x[i] * std::pow(s[i], -p.beta);
}

void backward(const ReferenceArgs& args) {
  const Problem p(args);
  const std::vector<double> s = p.normalisers();
  const auto dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  for (std::size_t i = 0; i < dx.size(); ++i) {
    double sum = 0;
    p.for_each_neighbour(static_cast<std::int64_t>(i), p.after, p.before,
                         [&](std::size_t j) { sum += dy[j] * p.x[j] * std::pow(s[j], -p.beta - 1); });
    dx[i] = dy[i] * std::pow(s[i], -p.beta) - 2 * p.scale * p.beta * p.x[i] * sum;
  }
}

std::vector<graph::LayerSample> samples() {
  const auto size = [](std::int64_t n) { return graph::AttributeValue(n); };
  return {{"AlexNet's", {{"size", size(5)}}, {{2, 8, 3, 3}}},
          {"strong", {{"size", size(3)}, {"alpha", 2.0}, {"beta", 0.5}, {"bias", 0.5}}, {{2, 5, 2, 3}}},
          {"even size", {{"size", size(4)}, {"alpha", 1.0}}, {{1, 6, 2, 2}}},
          {"more neighbours than channels", {{"size", size(9)}, {"alpha", 1.0}}, {{2, 3, 2, 2}}},
          {"size 1", {{"size", size(1)}, {"alpha", 1.0}}, {{2, 1, 4}}},
          {"no positions", {{"size", size(3)}, {"alpha", 0.5}}, {{2, 7}}}};
}

}  // namespace

const graph::LayerKind kLrn = {.op = "LRN",
                               .description = "local response normalisation across channels",
                               .attributes = kAttributes,
                               .infer = infer,
                               .work = work,
                               .forward = forward,
                               .backward = backward,
                               .samples = samples,
                               .traits = {}};

}  // namespace convoy::layers
