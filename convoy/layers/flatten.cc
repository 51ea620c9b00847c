// Flatten: {N, C, H, W…} becomes {N, C*H*W*…}; the elements and their order stay.
// Source: ONNX operator Flatten-13. An axis that would merge or split the batch is refused.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {{"axis", std::int64_t{1}}};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const tensor::Shape& input = inputs[0];
  if (input.rank() < 1) return base::Reason{"a scalar cannot be flattened"};
  const std::int64_t given = attributes.integer("axis");
  const std::int64_t axis = given < 0 ? given + input.rank() : given;
  if (axis < 0 || axis > input.rank())
    return base::Reason{base::str("axis ", given, " is outside the input's ", input.rank(), " dimensions")};
  const std::int64_t features = input.count_from(static_cast<int>(axis));
  if (axis == 0 || features != input.count_from(1))
    return base::Reason{base::str("axis ", given, " does not keep the batch dimension; take axis 1")};
  return graph::Signature{.outputs = {{input[0], features}}, .params = {}};
}

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape>, const graph::Signature&) {
  return {};
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  std::copy(x.begin(), x.end(), f64(args.outputs[0]).begin());
}

void backward(const ReferenceArgs& args) {
  const auto dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  std::copy_n(dy.begin(), dx.size(), dx.begin());
}

std::vector<graph::LayerSample> samples() {
  return {{"image", {}, {{2, 3, 4, 5}}},
          {"matrix", {}, {{3, 4}}},
          {"labels' shape", {}, {{3}}},
          {"axis 2 after one channel", {{"axis", std::int64_t{2}}}, {{2, 1, 3, 3}}},
          {"negative axis, batch 1", {{"axis", std::int64_t{-3}}}, {{1, 2, 2, 2}}}};
}

}  // namespace

const graph::LayerKind kFlatten = {.op = "Flatten",
                                   .description = "all dimensions but the batch become one",
                                   .attributes = kAttributes,
                                   .infer = infer,
                                   .work = work,
                                   .forward = forward,
                                   .backward = backward,
                                   .samples = samples,
                                   .traits = {.linear = true, .is_view = true}};

}  // namespace convoy::layers
