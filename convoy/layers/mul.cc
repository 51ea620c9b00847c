// Mul: y = a * b, element by element; sizes of 1 repeat. da = sum over the repetitions of dy * b.
// Source: ONNX operator Mul-14. The inputs have the same number of dimensions and the same batch.
#include <algorithm>

#include "convoy/layers/broadcast.h"
#include "convoy/layers/catalog.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs,
                 const graph::Signature& signature) {
  const ElementWork sums = repetition_work(inputs, signature.outputs[0]);
  graph::Work work = elementwise_work(signature.outputs, 1, 1, {.flops = 2, .depth = 1 + sums.depth});
  work.other_flops_backward += sums.flops;
  return work;
}

void forward(const ReferenceArgs& args) {
  const auto a = f64(args.inputs[0]), b = f64(args.inputs[1]);
  const auto y = f64(args.outputs[0]);
  const auto ia = broadcast_indices(args.inputs[0].shape(), args.outputs[0].shape());
  const auto ib = broadcast_indices(args.inputs[1].shape(), args.outputs[0].shape());
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = a[ia[i]] * b[ib[i]];
}

void backward(const ReferenceArgs& args) {
  const auto a = f64(args.inputs[0]), b = f64(args.inputs[1]), dy = f64(args.output_gradients[0]);
  const auto da = wanted(args.input_gradients[0]), db = wanted(args.input_gradients[1]);
  const auto ia = broadcast_indices(args.inputs[0].shape(), args.output_gradients[0].shape());
  const auto ib = broadcast_indices(args.inputs[1].shape(), args.output_gradients[0].shape());
  std::fill(da.begin(), da.end(), 0.0);
  std::fill(db.begin(), db.end(), 0.0);
  for (std::size_t i = 0; i < dy.size(); ++i) {
    if (!da.empty()) da[ia[i]] += dy[i] * b[ib[i]];
    if (!db.empty()) db[ib[i]] += dy[i] * a[ia[i]];
  }
}

std::vector<graph::LayerSample> samples() {
  return {{"same shapes", {}, {{2, 3, 4, 4}, {2, 3, 4, 4}}},
          {"a gate a channel", {}, {{2, 3, 2, 4}, {2, 3, 1, 1}}},
          {"both repeat", {}, {{2, 1, 5}, {2, 4, 1}}},
          {"batch 1", {}, {{1, 1}, {1, 6}}}};
}

}  // namespace

const graph::LayerKind kMul = {.op = "Mul",
                               .description = "a * b, element by element",
                               .min_inputs = 2,
                               .max_inputs = 2,
                               .infer = infer_broadcast,
                               .work = work,
                               .forward = forward,
                               .backward = backward,
                               .samples = samples,
                               .traits = {}};

}  // namespace convoy::layers
