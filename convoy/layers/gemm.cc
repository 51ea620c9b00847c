// Gemm: y = x W^T + b, a fully connected layer.
//
//   y[n,k] = b[k] + sum over c of  x[n,c] * w[k,c]
//
// x {N, C}, w {K, C}, b {K}, y {N, K}.
// Source: ONNX operator Gemm-13 with transB=1, alpha=1, beta=1. Weights are parameters of the layer, so the
// number of outputs and the bias are attributes.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {
    {"output_features", std::int64_t{0}, true},
    {"has_bias", std::int64_t{1}},
    {"initialiser", std::string("he")},
    {"bias_value", 0.0},
};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const tensor::Shape& input = inputs[0];
  const std::int64_t outputs = attributes.integer("output_features");
  if (input.rank() != 2)
    return base::Reason{base::str("the input has ", input.rank(),
                                  " dimensions; {N, features} is wanted: put a "
                                  "Flatten before")};
  if (outputs < 1 || outputs > (std::int64_t{1} << 31))
    return base::Reason{base::str("output_features is ", outputs, "; at least 1 is wanted")};
  const auto initialiser =
      parse_initialiser(attributes.text("initialiser"), {.in = input[1], .out = outputs});
  if (!initialiser) return initialiser.reason();

  graph::Signature signature;
  signature.outputs = {{input[0], outputs}};
  signature.params.push_back({.name = "weight", .shape = {outputs, input[1]}, .initialiser = *initialiser});
  if (attributes.integer("has_bias") != 0)
    signature.params.push_back({.name = "bias",
                                .shape = {outputs},
                                .role = tensor::ParamRole::bias,
                                .initialiser = {.value = attributes.real("bias_value")}});
  return signature;
}

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs,
                 const graph::Signature& signature) {
  const tensor::Shape& y = signature.outputs[0];
  const std::int64_t macs = inputs[0][0] * signature.params[0].shape.count();
  const std::int64_t bias = signature.params.size() > 1 ? y.count() : 0;
  return {.macs = macs,
          .macs_backward = 2 * macs,
          .other_flops = bias,
          .other_flops_backward = bias,
          .depth = ceil_log2(inputs[0][1]),
          .depth_backward_data = ceil_log2(y[1]),
          .depth_backward_weights = ceil_log2(y[0])};
}

struct Sizes {
  explicit Sizes(const ReferenceArgs& args)
      : n(at(args.inputs[0].shape()[0])),
        c(at(args.inputs[0].shape()[1])),
        k(at(args.params[0].shape()[0])) {}
  std::size_t n, c, k;
};

void forward(const ReferenceArgs& args) {
  const Sizes size(args);
  const auto x = f64(args.inputs[0]), w = f64(args.params[0]);
  const auto y = f64(args.outputs[0]);
  const bool has_bias = args.params.size() > 1;
  for (std::size_t n = 0; n < size.n; ++n) {
    for (std::size_t k = 0; k < size.k; ++k) {
      double sum = has_bias ? f64(args.params[1])[k] : 0.0;
      for (std::size_t c = 0; c < size.c; ++c) sum += x[n * size.c + c] * w[k * size.c + c];
      y[n * size.k + k] = sum;
    }
  }
}

void backward(const ReferenceArgs& args) {
  const Sizes size(args);
  const auto x = f64(args.inputs[0]), w = f64(args.params[0]), dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]), dw = wanted(args.param_gradients[0]);
  const auto db = args.params.size() > 1 ? wanted(args.param_gradients[1]) : std::span<double>();
  std::fill(dx.begin(), dx.end(), 0.0);
  std::fill(dw.begin(), dw.end(), 0.0);
  std::fill(db.begin(), db.end(), 0.0);
  for (std::size_t n = 0; n < size.n; ++n) {
    for (std::size_t k = 0; k < size.k; ++k) {
      const double gradient = dy[n * size.k + k];
      if (!dx.empty())
        for (std::size_t c = 0; c < size.c; ++c) dx[n * size.c + c] += gradient * w[k * size.c + c];
      if (!dw.empty())
        for (std::size_t c = 0; c < size.c; ++c) dw[k * size.c + c] += gradient * x[n * size.c + c];
      if (!db.empty()) db[k] += gradient;
    }
  }
}

std::vector<graph::LayerSample> samples() {
  return {{"typical", {{"output_features", std::int64_t{7}}}, {{4, 12}}},
          {"batch 1", {{"output_features", std::int64_t{5}}}, {{1, 9}}},
          {"no bias", {{"output_features", std::int64_t{3}}, {"has_bias", std::int64_t{0}}}, {{3, 4}}},
          {"one feature to one", {{"output_features", std::int64_t{1}}}, {{2, 1}}},
          {"one output", {{"output_features", std::int64_t{1}}}, {{5, 17}}}};
}

}  // namespace

const graph::LayerKind kGemm = {.op = "Gemm",
                                .description = "fully connected: y = x W^T + b",
                                .attributes = kAttributes,
                                .infer = infer,
                                .work = work,
                                .forward = forward,
                                .backward = backward,
                                .samples = samples,
                                .traits = {.linear = true}};

}  // namespace convoy::layers
