// GlobalAveragePool: the mean over all spatial positions of each channel; {N, C, H, W…} becomes {N, C, 1,
// 1…}. Source: ONNX operator GlobalAveragePool-1.
#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

base::Result<graph::Signature> infer(const graph::Attributes&, std::span<const tensor::Shape> inputs) {
  if (inputs[0].rank() < 3)
    return base::Reason{
        base::str("the input has ", inputs[0].rank(), " dimensions; {N, C, spatial...} is wanted")};
  std::vector<std::int64_t> sizes(at(inputs[0].rank()), 1);
  sizes[0] = inputs[0][0];
  sizes[1] = inputs[0][1];
  return graph::Signature{.outputs = {tensor::Shape(std::move(sizes))}, .params = {}};
}

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape> inputs, const graph::Signature&) {
  graph::Work work = elementwise_work(inputs, 1, ceil_log2(inputs[0].count_from(2)) + 1);
  work.other_flops_backward = inputs[0][0] * inputs[0][1];
  work.depth_backward_data = 1;
  return work;
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  const auto y = f64(args.outputs[0]);
  const std::size_t positions = x.size() / y.size();
  for (std::size_t plane = 0; plane < y.size(); ++plane) {
    double sum = 0;
    for (std::size_t i = 0; i < positions; ++i) sum += x[plane * positions + i];
    y[plane] = sum / static_cast<double>(positions);
  }
}

void backward(const ReferenceArgs& args) {
  const auto dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  const std::size_t positions = dx.size() / dy.size();
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] = dy[i / positions] / static_cast<double>(positions);
}

std::vector<graph::LayerSample> samples() {
  return {{"image", {}, {{2, 3, 5, 4}}},
          {"one position, batch 1", {}, {{1, 4, 1, 1}}},
          {"1-D", {}, {{2, 2, 7}}},
          {"3-D", {}, {{1, 2, 3, 2, 4}}}};
}

}  // namespace

const graph::LayerKind kGlobalAveragePool = {.op = "GlobalAveragePool",
                                             .description = "mean over all positions of a channel",
                                             .infer = infer,
                                             .work = work,
                                             .forward = forward,
                                             .backward = backward,
                                             .samples = samples,
                                             .traits = {.linear = true}};

}  // namespace convoy::layers
