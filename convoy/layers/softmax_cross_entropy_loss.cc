// SoftmaxCrossEntropyLoss: the mean over the global minibatch of the negative log-likelihood.
//
//   loss = 1/B * sum over n of  ( log sum over k of exp(x[n,k])  -  x[n, label[n]] )
//
// B is EvalContext::global_batch, so that the losses of the ranks add up. Scores x {N, K}, labels {N} int32,
// 0 <= label < K, checked; the loss is a scalar. The gradient is (softmax(x[n]) - onehot(label[n])) / B.
// The largest score is subtracted first, so that no exponential overflows.
// Source: ONNX operator SoftmaxCrossEntropyLoss-13 with reduction "mean"; without weights, ignore_index
// and the second output.
#include <cmath>

#include "convoy/base/check.h"
#include "convoy/layers/catalog.h"
#include "convoy/layers/lanes.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {{"reduction", std::string("mean")}};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  if (attributes.text("reduction") != "mean")
    return base::Reason{
        base::str("reduction is \"", attributes.text("reduction"), "\"; only \"mean\" is known")};
  if (inputs[0].rank() != 2)
    return base::Reason{
        base::str("the scores have ", inputs[0].rank(), " dimensions; {N, classes} is wanted")};
  if (inputs[1].rank() != 1 || inputs[1][0] != inputs[0][0])
    return base::Reason{base::str("the labels have shape ", inputs[1].str(), "; one a sample is wanted")};
  return graph::Signature{.outputs = {tensor::Shape{}}, .params = {}};
}

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs, const graph::Signature&) {
  // A class: compare, subtract, exponential, add; a sample: logarithm, subtract, add. Trees over classes
  // twice and over the batch once, and the division by it. Backward: subtract, exponential, subtract, scale.
  graph::Work work =
      elementwise_work(inputs, 4, 2 * ceil_log2(inputs[0][1]) + ceil_log2(inputs[0][0]) + 5, {4, 4});
  work.other_flops += 3 * inputs[0][0];
  return work;
}

std::size_t checked_label(std::int32_t label, std::size_t classes) {
  CONVOY_CHECK(label >= 0 && static_cast<std::size_t>(label) < classes, "label ", label, " of ", classes);
  return static_cast<std::size_t>(label);
}

// Calls visit(lane of the scores, label) for every sample.
template <class Visit>
void for_each_sample(const ReferenceArgs& args, Visit&& visit) {
  const auto labels = args.inputs[1].as<std::int32_t>();
  const std::size_t classes = at(args.inputs[0].shape()[1]);
  for (std::size_t n = 0; n < labels.size(); ++n)
    visit(Lane{.first = n * classes, .size = classes}, checked_label(labels[n], classes));
}

void forward(const ReferenceArgs& args) {
  const auto scores = f64(args.inputs[0]);
  double sum = 0;
  for_each_sample(args, [&](const Lane& lane, std::size_t label) {
    sum -= log_sum_exp(scores, lane).log_probability(scores[lane[label]]);
  });
  f64(args.outputs[0])[0] = sum / static_cast<double>(args.context.global_batch);
}

void backward(const ReferenceArgs& args) {
  const auto dx = wanted(args.input_gradients[0]);
  if (dx.empty()) return;
  const auto scores = f64(args.inputs[0]);
  const double scale = f64(args.output_gradients[0])[0] / static_cast<double>(args.context.global_batch);
  for_each_sample(args, [&](const Lane& lane, std::size_t label) {
    const LogSumExp normaliser = log_sum_exp(scores, lane);
    for (std::size_t k = 0; k < lane.size; ++k)
      dx[lane[k]] = scale * std::exp(normaliser.log_probability(scores[lane[k]]));
    dx[lane[label]] -= scale;
  });
}

std::vector<graph::LayerSample> samples() {
  return {{"ten classes", {}, {{4, 10}, {4}}},
          {"two classes, batch 1", {}, {{1, 2}, {1}}},
          {"one class", {}, {{3, 1}, {3}}},
          {"many classes", {}, {{2, 100}, {2}}}};
}

}  // namespace

const graph::LayerKind kSoftmaxCrossEntropyLoss = {
    .op = "SoftmaxCrossEntropyLoss",
    .description = "mean negative log-likelihood of the labels under softmax(scores)",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = kAttributes,
    .infer = infer,
    .work = work,
    .forward = forward,
    .backward = backward,
    .samples = samples,
    .traits = {.is_loss = true, .takes_labels = true}};

}  // namespace convoy::layers
