// Parameter: an array that is the same for every sample.
//
//   y[n,i] = v[i],   dv[i] = sum over n of dy[n,i]
//
// The input gives the number of samples and nothing else. v has `shape`, y {N, shape…}. Where `learned` is 0,
// v is state that no step changes: a constant. Source: ONNX's initialisers and Constant nodes as inputs of
// Add, Mul, Sum; ONNX has no such operator.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;
using Ints = std::vector<std::int64_t>;

const graph::AttributeSpec kAttributes[] = {
    {"shape", Ints{}, true},
    {"learned", std::int64_t{1}},
    {"initialiser", std::string("constant:0")},
};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  if (inputs[0].rank() < 1) return base::Reason{"a scalar does not say how many samples there are"};
  Ints sizes = attributes.integers("shape");
  std::int64_t count = 1;
  for (const std::int64_t size : sizes)
    if (size < 1 || __builtin_mul_overflow(count, size, &count))
      return base::Reason{base::str("shape has the entry ", size)};
  const auto initialiser = parse_initialiser(attributes.text("initialiser"), {.in = count, .out = count});
  if (!initialiser) return initialiser.reason();
  const tensor::Shape shape(sizes);
  sizes.insert(sizes.begin(), inputs[0][0]);
  const tensor::Shape output(std::move(sizes));
  if (const auto verdict = check_work(output, 1); !verdict) return verdict.reason();
  const bool learned = attributes.integer("learned") != 0;
  graph::Signature signature{.outputs = {output}, .params = {}};
  signature.params.push_back({.name = "value",
                              .shape = shape,
                              .kind = learned ? tensor::SegmentKind::parameter : tensor::SegmentKind::state,
                              .role = tensor::ParamRole::bias,
                              .initialiser = *initialiser});
  return signature;
}

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape>,
                 const graph::Signature& signature) {
  const tensor::Shape& y = signature.outputs[0];
  return {.other_flops_backward = y.count(), .depth_backward_weights = ceil_log2(y[0])};
}

void forward(const ReferenceArgs& args) {
  const auto v = f64(args.params[0]);
  const auto y = f64(args.outputs[0]);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = v[i % v.size()];
  if (args.context.training && !args.next_state[0].empty())
    std::copy(v.begin(), v.end(), f64(args.next_state[0]).begin());
}

void backward(const ReferenceArgs& args) {
  const auto dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  std::fill(dx.begin(), dx.end(), 0.0);
  const auto dv = wanted(args.param_gradients[0]);
  if (dv.empty()) return;
  std::fill(dv.begin(), dv.end(), 0.0);
  for (std::size_t i = 0; i < dy.size(); ++i) dv[i % dv.size()] += dy[i];
}

std::vector<graph::LayerSample> samples() {
  return {{"channels", {{"shape", Ints{3, 1, 1}}}, {{4, 3, 5, 4}}},
          {"constant", {{"shape", Ints{2, 3}}, {"learned", std::int64_t{0}}}, {{2, 7}}},
          {"one number", {{"shape", Ints{}}, {"initialiser", std::string("constant:2")}}, {{3, 2}}},
          {"batch 1", {{"shape", Ints{5}}, {"initialiser", std::string("gaussian:0.1")}}, {{1, 2}}}};
}

}  // namespace

const graph::LayerKind kParameter = {.op = "Parameter",
                                     .description = "an array that is the same for every sample",
                                     .attributes = kAttributes,
                                     .infer = infer,
                                     .work = work,
                                     .forward = forward,
                                     .backward = backward,
                                     .samples = samples,
                                     .traits = {.linear = true}};

}  // namespace convoy::layers
