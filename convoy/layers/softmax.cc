// Softmax along `axis`: y[j] = exp(x[j]) / sum over i of exp(x[i]); dx[j] = y[j] * (dy[j] - sum of dy * y).
// Source: ONNX operator Softmax-13. The batch is no axis.
#include <cmath>

#include "convoy/layers/catalog.h"
#include "convoy/layers/lanes.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {{"axis", std::int64_t{-1}}};

int axis_of(const ReferenceArgs& args) {
  return sample_axis(args.attributes.integer("axis"), args.inputs[0].shape().rank()).value();
}

graph::Work work(const graph::Attributes& attributes, std::span<const tensor::Shape> inputs,
                 const graph::Signature&) {
  const int axis = sample_axis(attributes.integer("axis"), inputs[0].rank()).value();
  // Compare, subtract, exponential, add, divide. Two trees along the axis.
  const std::int64_t tree = ceil_log2(inputs[0][axis]);
  // Backward: multiply by y, add, subtract, multiply by y.
  return elementwise_work(inputs, 5, 2 * tree + 3, {.flops = 4, .depth = tree + 3});
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  const auto y = f64(args.outputs[0]);
  for_each_lane(args.inputs[0].shape(), axis_of(args), [&](const Lane& lane) {
    const LogSumExp normaliser = log_sum_exp(x, lane);
    for (std::size_t j = 0; j < lane.size; ++j) y[lane[j]] = std::exp(normaliser.log_probability(x[lane[j]]));
  });
}

void backward(const ReferenceArgs& args) {
  const auto dx = wanted(args.input_gradients[0]);
  if (dx.empty()) return;
  const auto x = f64(args.inputs[0]), dy = f64(args.output_gradients[0]);
  for_each_lane(args.inputs[0].shape(), axis_of(args), [&](const Lane& lane) {
    const LogSumExp normaliser = log_sum_exp(x, lane);
    double sum = 0;
    for (std::size_t j = 0; j < lane.size; ++j)
      sum += dy[lane[j]] * std::exp(normaliser.log_probability(x[lane[j]]));
    for (std::size_t j = 0; j < lane.size; ++j)
      dx[lane[j]] = std::exp(normaliser.log_probability(x[lane[j]])) * (dy[lane[j]] - sum);
  });
}

std::vector<graph::LayerSample> samples() {
  return {{"scores", {}, {{4, 10}}},
          {"channels", {{"axis", std::int64_t{1}}}, {{2, 5, 3, 2}}},
          {"one class", {}, {{3, 1}}},
          {"batch 1", {{"axis", std::int64_t{-2}}}, {{1, 4, 3}}}};
}

}  // namespace

const graph::LayerKind kSoftmax = {.op = "Softmax",
                                   .description = "exponentials divided by their sum",
                                   .attributes = kAttributes,
                                   .infer = infer_along_axis,
                                   .work = work,
                                   .forward = forward,
                                   .backward = backward,
                                   .samples = samples,
                                   .traits = {}};

}  // namespace convoy::layers
