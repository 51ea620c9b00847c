// SoftmaxCrossEntropyLoss: the mean over the global minibatch of the negative log-likelihood.
//
//   loss = 1/B * sum over n of  ( log sum over k of exp(x[n,k])  -  x[n, label[n]] )
//
// B is EvalContext::global_batch, so that the losses of the ranks add up. Scores x {N, K}, labels {N} int32,
// 0 <= label < K, checked; the loss is a scalar. The gradient is (softmax(x[n]) - onehot(label[n])) / B.
// The largest score is subtracted first, so that no exponential overflows.
// Source: ONNX operator SoftmaxCrossEntropyLoss-13 with reduction "mean"; without weights, ignore_index
// and the second output.
#include <algorithm>
#include <cmath>

#include "convoy/base/check.h"
#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

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
  // A class: compare, subtract, exponential, add. Trees over classes twice and over the batch once.
  return {.other_flops = 4 * inputs[0].count(),
          .depth = 2 * ceil_log2(inputs[0][1]) + ceil_log2(inputs[0][0]) + 4};
}

std::span<const double> row(std::span<const double> scores, std::size_t n, std::size_t classes) {
  return scores.subspan(n * classes, classes);
}

double log_sum_exp(std::span<const double> scores) {
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double score : scores) sum += std::exp(score - largest);
  return largest + std::log(sum);
}

std::size_t checked_label(std::int32_t label, std::size_t classes) {
  CONVOY_CHECK(label >= 0 && static_cast<std::size_t>(label) < classes, "label ", label, " of ", classes);
  return static_cast<std::size_t>(label);
}

void forward(const ReferenceArgs& args) {
  const auto scores = f64(args.inputs[0]);
  const auto labels = args.inputs[1].as<std::int32_t>();
  const std::size_t classes = at(args.inputs[0].shape()[1]);
  double sum = 0;
  for (std::size_t n = 0; n < labels.size(); ++n) {
    const auto x = row(scores, n, classes);
    sum += log_sum_exp(x) - x[checked_label(labels[n], classes)];
  }
  f64(args.outputs[0])[0] = sum / static_cast<double>(args.context.global_batch);
}

void backward(const ReferenceArgs& args) {
  const auto dx = wanted(args.input_gradients[0]);
  if (dx.empty()) return;
  const auto scores = f64(args.inputs[0]);
  const auto labels = args.inputs[1].as<std::int32_t>();
  const std::size_t classes = at(args.inputs[0].shape()[1]);
  const double scale = f64(args.output_gradients[0])[0] / static_cast<double>(args.context.global_batch);
  for (std::size_t n = 0; n < labels.size(); ++n) {
    const auto x = row(scores, n, classes);
    const double normaliser = log_sum_exp(x);
    for (std::size_t k = 0; k < classes; ++k) dx[n * classes + k] = scale * std::exp(x[k] - normaliser);
    dx[n * classes + checked_label(labels[n], classes)] -= scale;
  }
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
