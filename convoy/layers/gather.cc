// Gather: picks slices along `axis`, which is not the batch, in the order of `indices`; one may come twice.
//
//   y[.., i, ..] = x[.., indices[i], ..],   dx[.., c, ..] = sum over the i with indices[i] = c of dy[.., i,
//   ..]
//
// A negative index counts from the end. Source: ONNX operator Gather-13 with one-dimensional indices, which
// are an attribute here because they are no numbers to compute with.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {{"indices", std::vector<std::int64_t>{}, true},
                                            {"axis", std::int64_t{1}}};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const std::vector<std::int64_t>& indices = attributes.integers("indices");
  const base::Result<int> axis = sample_axis(attributes.integer("axis"), inputs[0].rank());
  if (!axis) return axis.reason();
  if (indices.empty()) return base::Reason{"indices is empty"};
  const std::int64_t size = inputs[0][*axis];
  for (const std::int64_t index : indices)
    if (index < -size || index >= size)
      return base::Reason{base::str("index ", index, " is outside the ", size, " of dimension ", *axis)};
  return graph::Signature{.outputs = {inputs[0].with(*axis, static_cast<std::int64_t>(indices.size()))},
                          .params = {}};
}

// How often the index that comes most often does.
std::int64_t most_repeated(std::vector<std::int64_t> indices, std::int64_t size) {
  for (std::int64_t& index : indices) index += index < 0 ? size : 0;
  std::sort(indices.begin(), indices.end());
  std::int64_t most = 0, run = 0;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    run = i > 0 && indices[i] == indices[i - 1] ? run + 1 : 1;
    most = std::max(most, run);
  }
  return most;
}

// Copies; backward, the slices of an index that comes several times are added up.
graph::Work work(const graph::Attributes& attributes, std::span<const tensor::Shape> inputs,
                 const graph::Signature& signature) {
  const int axis = sample_axis(attributes.integer("axis"), inputs[0].rank()).value();
  const std::int64_t most = most_repeated(attributes.integers("indices"), inputs[0][axis]);
  return {.other_flops_backward = most > 1 ? signature.outputs[0].count() : 0,
          .depth_backward_data = ceil_log2(most)};
}

// Calls visit(offset in x, offset in y, count) for each contiguous run of `x` that a slice has.
template <class Visit>
void for_each_run(const graph::Attributes& attributes, const tensor::Shape& x, Visit&& visit) {
  const int axis = sample_axis(attributes.integer("axis"), x.rank()).value();
  const std::int64_t size = x[axis], run = x.count_from(axis + 1),
                     outer = x.count() / std::max<std::int64_t>(1, size * run);
  std::int64_t to = 0;
  for (std::int64_t o = 0; o < outer; ++o)
    for (const std::int64_t index : attributes.integers("indices")) {
      visit(at((o * size + (index < 0 ? index + size : index)) * run), at(to), at(run));
      to += run;
    }
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  const auto y = f64(args.outputs[0]);
  for_each_run(args.attributes, args.inputs[0].shape(),
               [&](std::size_t from, std::size_t to, std::size_t count) {
                 for (std::size_t i = 0; i < count; ++i) y[to + i] = x[from + i];
               });
}

void backward(const ReferenceArgs& args) {
  const auto dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  if (dx.empty()) return;
  std::fill(dx.begin(), dx.end(), 0.0);
  for_each_run(args.attributes, args.inputs[0].shape(),
               [&](std::size_t to, std::size_t from, std::size_t count) {
                 for (std::size_t i = 0; i < count; ++i) dx[to + i] += dy[from + i];
               });
}

std::vector<graph::LayerSample> samples() {
  using Ints = std::vector<std::int64_t>;
  const auto axis = [](std::int64_t a) { return graph::AttributeValue(a); };
  return {{"channels", {{"indices", Ints{0, 1, 2, 1, 2, 3, 2, 3, 4}}}, {{2, 6, 3, 3}}},
          {"from the end", {{"indices", Ints{-1, 0}}}, {{3, 4}}},
          {"columns", {{"indices", Ints{2, 2, 0}}, {"axis", axis(-1)}}, {{2, 2, 3, 4}}},
          {"one, batch 1", {{"indices", Ints{1}}, {"axis", axis(2)}}, {{1, 2, 3}}}};
}

}  // namespace

const graph::LayerKind kGather = {.op = "Gather",
                                  .description = "chosen slices along an axis",
                                  .attributes = kAttributes,
                                  .infer = infer,
                                  .work = work,
                                  .forward = forward,
                                  .backward = backward,
                                  .samples = samples,
                                  .traits = {.linear = true}};

}  // namespace convoy::layers
