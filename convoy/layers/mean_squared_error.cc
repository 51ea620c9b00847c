// MeanSquaredError: the mean over the global minibatch and the elements of a sample of the squared
// difference.
//
//   loss = 1/(B*E) * sum over n, e of (prediction[n,e] - target[n,e])^2
//
// B is EvalContext::global_batch, so that the losses of the ranks add up; E the elements of a sample. Both
// inputs have one shape and are differentiable; the loss is a scalar. ONNX has no such operator.
#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

base::Result<graph::Signature> infer(const graph::Attributes&, std::span<const tensor::Shape> inputs) {
  if (inputs[0].rank() < 1 || inputs[0] != inputs[1])
    return base::Reason{"prediction and target need one shape with a batch dimension"};
  return graph::Signature{.outputs = {tensor::Shape{}}, .params = {}};
}

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs, const graph::Signature&) {
  return elementwise_work(inputs, 3, ceil_log2(inputs[0].count()) + 3, {.flops = 2, .depth = 2});
}

double weight(const ReferenceArgs& args) {
  return 1 / (static_cast<double>(args.context.global_batch) *
              static_cast<double>(args.inputs[0].shape().count_from(1)));
}

void forward(const ReferenceArgs& args) {
  const auto prediction = f64(args.inputs[0]), target = f64(args.inputs[1]);
  double sum = 0;
  for (std::size_t i = 0; i < prediction.size(); ++i)
    sum += (prediction[i] - target[i]) * (prediction[i] - target[i]);
  f64(args.outputs[0])[0] = sum * weight(args);
}

void backward(const ReferenceArgs& args) {
  const auto prediction = f64(args.inputs[0]), target = f64(args.inputs[1]);
  const auto dp = wanted(args.input_gradients[0]), dt = wanted(args.input_gradients[1]);
  const double scale = 2 * weight(args) * f64(args.output_gradients[0])[0];
  for (std::size_t i = 0; i < prediction.size(); ++i) {
    const double gradient = scale * (prediction[i] - target[i]);
    if (!dp.empty()) dp[i] = gradient;
    if (!dt.empty()) dt[i] = -gradient;
  }
}

std::vector<graph::LayerSample> samples() {
  return {{"vectors", {}, {{4, 6}, {4, 6}}},
          {"images", {}, {{2, 1, 5, 5}, {2, 1, 5, 5}}},
          {"batch 1", {}, {{1, 1}, {1, 1}}}};
}

}  // namespace

const graph::LayerKind kMeanSquaredError = {.op = "MeanSquaredError",
                                            .description = "mean squared difference of two inputs",
                                            .min_inputs = 2,
                                            .max_inputs = 2,
                                            .infer = infer,
                                            .work = work,
                                            .forward = forward,
                                            .backward = backward,
                                            .samples = samples,
                                            .traits = {.is_loss = true}};

}  // namespace convoy::layers
