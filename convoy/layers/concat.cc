// Concat: the inputs one after another along `axis`, which is not the batch; all other sizes agree.
// Source: ONNX operator Concat-13.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {{"axis", std::int64_t{1}, true}};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const base::Result<int> axis = sample_axis(attributes.integer("axis"), inputs[0].rank());
  if (!axis) return axis.reason();
  std::int64_t size = 0;
  for (const tensor::Shape& input : inputs) {
    if (input.rank() != inputs[0].rank() || input.with(*axis, 0) != inputs[0].with(*axis, 0))
      return base::Reason{base::str("the inputs differ in more than dimension ", *axis)};
    size += input[*axis];
  }
  return graph::Signature{.outputs = {inputs[0].with(*axis, size)}, .params = {}};
}

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape>, const graph::Signature&) {
  return {};
}

// Calls visit(input index, offset in the input, offset in the output, count) for each contiguous run.
template <class Visit>
void for_each_run(const ReferenceArgs& args, Visit&& visit) {
  const int axis = sample_axis(args.attributes.integer("axis"), args.inputs[0].shape().rank()).value();
  const std::size_t outer =
      at(args.inputs[0].shape().count() / std::max<std::int64_t>(1, args.inputs[0].shape().count_from(axis)));
  std::size_t offset = 0;
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t i = 0; i < args.inputs.size(); ++i) {
      const std::size_t run = at(args.inputs[i].shape().count_from(axis));
      visit(i, o * run, offset, run);
      offset += run;
    }
  }
}

void forward(const ReferenceArgs& args) {
  const auto y = f64(args.outputs[0]);
  for_each_run(args, [&](std::size_t i, std::size_t from, std::size_t to, std::size_t count) {
    std::copy_n(f64(args.inputs[i]).begin() + static_cast<std::ptrdiff_t>(from), count,
                y.begin() + static_cast<std::ptrdiff_t>(to));
  });
}

void backward(const ReferenceArgs& args) {
  const auto dy = f64(args.output_gradients[0]);
  for_each_run(args, [&](std::size_t i, std::size_t to, std::size_t from, std::size_t count) {
    const auto dx = wanted(args.input_gradients[i]);
    if (!dx.empty())
      std::copy_n(dy.begin() + static_cast<std::ptrdiff_t>(from), count,
                  dx.begin() + static_cast<std::ptrdiff_t>(to));
  });
}

std::vector<graph::LayerSample> samples() {
  const auto axis = [](std::int64_t a) { return graph::AttributeValue(a); };
  return {{"channels", {{"axis", axis(1)}}, {{2, 3, 4, 4}, {2, 2, 4, 4}, {2, 1, 4, 4}}},
          {"blocks of channels", {{"axis", axis(1)}}, {{2, 16, 3, 2}, {2, 32, 3, 2}, {2, 5, 3, 2}}},
          {"features", {{"axis", axis(-1)}}, {{3, 4}, {3, 6}}},
          {"rows", {{"axis", axis(2)}}, {{1, 2, 3, 2}, {1, 2, 1, 2}}},
          {"one input", {{"axis", axis(1)}}, {{2, 5}}}};
}

}  // namespace

const graph::LayerKind kConcat = {.op = "Concat",
                                  .description = "inputs one after another along an axis",
                                  .min_inputs = 1,
                                  .max_inputs = -1,
                                  .attributes = kAttributes,
                                  .infer = infer,
                                  .work = work,
                                  .forward = forward,
                                  .backward = backward,
                                  .samples = samples,
                                  .traits = {.linear = true}};

}  // namespace convoy::layers
