// Pad: `pads` elements of `value` before and behind each dimension but the batch; negative ones cut elements
// off.
//
//   y[i] = x[i - before], or value where that is outside x
//
// `pads` has one entry a dimension for the beginning and then one for the end, the batch's being 0.
// Source: ONNX operator Pad-2 with mode "constant" (since Pad-11 pads and value are inputs).
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {
    {"pads", std::vector<std::int64_t>{}, true}, {"mode", std::string("constant")}, {"value", 0.0}};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const std::vector<std::int64_t>& pads = attributes.integers("pads");
  const tensor::Shape& input = inputs[0];
  const std::size_t rank = at(input.rank());
  if (attributes.text("mode") != "constant")
    return base::Reason{base::str("mode is \"", attributes.text("mode"), "\"; only \"constant\" is known")};
  if (pads.size() != 2 * rank)
    return base::Reason{base::str("pads has ", pads.size(), " entries; ", 2 * rank, " are wanted")};
  if (pads[0] != 0 || pads[rank] != 0) return base::Reason{"the batch cannot be padded"};
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  std::vector<std::int64_t> sizes = input.sizes();
  for (std::size_t d = 1; d < rank; ++d) {
    for (const std::int64_t pad : {pads[d], pads[rank + d]})
      if (pad < -sizes[d] || pad > kMost)
        return base::Reason{base::str("pads of dimension ", d, " are too large")};
    sizes[d] += pads[d] + pads[rank + d];
    if (sizes[d] < 1) return base::Reason{base::str("nothing is left of dimension ", d)};
  }
  return graph::Signature{.outputs = {tensor::Shape(std::move(sizes))}, .params = {}};
}

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape>, const graph::Signature&) {
  return {};
}

// Calls visit(index in x, index in y) for each element that both have.
template <class Visit>
void for_each_kept(const graph::Attributes& attributes, const tensor::Shape& x, const tensor::Shape& y,
                   Visit&& visit) {
  const std::vector<std::int64_t>& pads = attributes.integers("pads");
  std::vector<std::int64_t> index(at(x.rank()), 0);
  std::size_t from = 0;
  do {
    std::int64_t to = 0;
    bool is_kept = true;
    for (int d = 0; d < x.rank(); ++d) {
      const std::int64_t place = index[at(d)] + pads[at(d)];
      is_kept = is_kept && place >= 0 && place < y[d];
      to = to * y[d] + place;
    }
    if (is_kept) visit(from, at(to));
    ++from;
  } while (advance(index, x.sizes()));
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  const auto y = f64(args.outputs[0]);
  std::fill(y.begin(), y.end(), args.attributes.real("value"));
  for_each_kept(args.attributes, args.inputs[0].shape(), args.outputs[0].shape(),
                [&](std::size_t from, std::size_t to) { y[to] = x[from]; });
}

void backward(const ReferenceArgs& args) {
  const auto dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  if (dx.empty()) return;
  std::fill(dx.begin(), dx.end(), 0.0);
  for_each_kept(args.attributes, args.inputs[0].shape(), args.output_gradients[0].shape(),
                [&](std::size_t from, std::size_t to) { dx[from] = dy[to]; });
}

std::vector<graph::LayerSample> samples() {
  using Ints = std::vector<std::int64_t>;
  return {{"channels behind", {{"pads", Ints{0, 0, 0, 0, 0, 16, 0, 0}}}, {{2, 16, 4, 3}}},
          {"channels on both sides", {{"pads", Ints{0, 16, 0, 0, 0, 32, 0, 0}}}, {{3, 16, 2, 2}}},
          {"channels, not in blocks", {{"pads", Ints{0, 1, 0, 0, 0, 2, 0, 0}}}, {{2, 3, 4, 4}}},
          {"borders of an image", {{"pads", Ints{0, 0, 1, 2, 0, 0, 0, 3}}, {"value", 2.0}}, {{2, 3, 4, 5}}},
          {"cut off", {{"pads", Ints{0, -1, 2, 0, 1, -2}}}, {{3, 4, 5}}},
          {"features, batch 1", {{"pads", Ints{0, 0, 0, 3}}}, {{1, 2}}}};
}

}  // namespace

const graph::LayerKind kPad = {.op = "Pad",
                               .description = "a constant border around every sample",
                               .attributes = kAttributes,
                               .infer = infer,
                               .work = work,
                               .forward = forward,
                               .backward = backward,
                               .samples = samples,
                               .traits = {.linear = true}};

}  // namespace convoy::layers
