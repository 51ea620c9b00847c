// Operators that move no number, but only say how they lie.
#include <algorithm>
#include <functional>
#include <numeric>

#include "convoy/layers/catalog.h"
#include "convoy/onnx/rules.h"

namespace convoy::onnx {
namespace {

using graph::ValueId;
using Ints = std::vector<std::int64_t>;

base::Verdict emit_reshape(const Node& node, Translation& to, ValueId value, Ints sizes) {
  const auto reshaped = to.reshape(to.layer_name(node), value, std::move(sizes));
  if (!reshaped) return reshaped.reason();
  to.bind(node.file.outputs[0], *reshaped);
  return {};
}

// The axes as an attribute or, from opset 13 on, as an input; counted on `rank` dimensions, ascending.
base::Result<Ints> axes_of(const Node& node, const Translation& to, int rank) {
  Ints axes = node.attributes.integers("axes");
  if (node.has_input(1)) {
    auto input = to.integers(node, 1);
    if (!input) return input.reason();
    axes = std::move(input).value();
  }
  for (std::int64_t& axis : axes) {
    if (axis < -rank || axis >= rank)
      return base::Reason{base::str("axis ", axis, " is outside ", rank, " dimensions")};
    if (axis < 0) axis += rank;
    if (axis == 0 && to.has_batch()) return base::Reason{"axis 0 is the batch"};
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) return base::Reason{"an axis comes twice"};
  return axes;
}

// Dimension `axis` of the file in a sample's sizes.
std::ptrdiff_t place(const Translation& to, std::int64_t axis) {
  return static_cast<std::ptrdiff_t>(axis - (to.has_batch() ? 1 : 0));
}

}  // namespace

base::Verdict translate_flatten(const Node& node, Translation& to) {
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  const std::int64_t axis = node.attributes.integer("axis");
  if (to.has_batch()) return to.emit(node, layers::kFlatten, to.layer_name(node), {{"axis", axis}}, {*x});
  const Ints sizes = to.sample_sizes(*x);
  const auto rank = static_cast<std::int64_t>(sizes.size());
  if (axis < -rank || axis > rank)
    return base::Reason{base::str("axis ", axis, " is outside the ", rank, " dimensions of its input")};
  const auto split = sizes.begin() + static_cast<std::ptrdiff_t>(axis < 0 ? axis + rank : axis);
  return emit_reshape(node, to, *x,
                      {std::accumulate(sizes.begin(), split, std::int64_t{1}, std::multiplies<>()),
                       std::accumulate(split, sizes.end(), std::int64_t{1}, std::multiplies<>())});
}

base::Verdict translate_reshape(const Node& node, Translation& to) {
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  Ints sizes = node.attributes.integers("shape");
  if (node.has_input(1)) {
    auto input = to.integers(node, 1);
    if (!input) return input.reason();
    sizes = std::move(input).value();
  }
  if (node.attributes.integer("allowzero") != 0 && std::find(sizes.begin(), sizes.end(), 0) != sizes.end())
    return base::Reason{"allowzero=1 asks for an array without elements"};
  if (!to.has_batch()) return emit_reshape(node, to, *x, std::move(sizes));
  if (sizes.empty()) return base::Reason{"the new shape has no dimension for the batch"};
  if (sizes[0] == to.batch()) sizes[0] = 0;  // files of a fixed batch name it
  return to.emit(node, layers::kReshape, to.layer_name(node), {{"shape", std::move(sizes)}}, {*x});
}

base::Verdict translate_squeeze(const Node& node, Translation& to) {
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  auto axes = axes_of(node, to, to.rank(*x));
  if (!axes) return axes.reason();
  const Ints sizes = to.sample_sizes(*x);
  const bool all = axes->empty();  // every size of 1 goes
  Ints left;
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    const std::int64_t axis = static_cast<std::int64_t>(d) + (to.has_batch() ? 1 : 0);
    const bool named = std::find(axes->begin(), axes->end(), axis) != axes->end();
    if (named && sizes[d] != 1)
      return base::Reason{base::str("dimension ", axis, " has the size ", sizes[d])};
    if (!named && !(all && sizes[d] == 1)) left.push_back(sizes[d]);
  }
  return emit_reshape(node, to, *x, std::move(left));
}

base::Verdict translate_unsqueeze(const Node& node, Translation& to) {
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  Ints sizes = to.sample_sizes(*x);
  const std::size_t given = node.has_input(1) && to.constant(node.file.inputs[1]) != nullptr
                                ? to.constant(node.file.inputs[1])->tensor.integers.size()
                                : node.attributes.integers("axes").size();
  auto axes = axes_of(node, to, to.rank(*x) + static_cast<int>(std::min<std::size_t>(given, 64)));
  if (!axes) return axes.reason();
  for (const std::int64_t axis : *axes) sizes.insert(sizes.begin() + place(to, axis), 1);
  return emit_reshape(node, to, *x, std::move(sizes));
}

base::Verdict translate_concat(const Node& node, Translation& to) {
  const std::int64_t given = node.attributes.integer("axis");
  if (given == kNoAxis && to.opset() >= 4) return base::Reason{"attribute axis is required"};
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < node.file.inputs.size(); ++i) {
    const Constant* constant = to.constant(node.file.inputs[i]);
    const bool whole_sample = constant != nullptr && !to.has_batch();
    const auto input =
        whole_sample ? to.operand(node, i, static_cast<int>(constant->tensor.dims.size())) : to.data(node, i);
    if (!input) return input.reason();
    inputs.push_back(*input);
  }
  if (inputs.empty()) return base::Reason{"it has no input"};
  const std::int64_t named = given == kNoAxis ? 1 : given;
  const auto axis = to.axis(named, inputs[0]);
  if (!axis) return axis.reason();
  return to.emit(node, layers::kConcat, to.layer_name(node), {{"axis", to.has_batch() ? named : *axis}},
                 std::move(inputs));
}

// Zeros around the image are for whoever comes next to take into its own pads; none at all is an Identity.
base::Verdict translate_pad(const Node& node, Translation& to) {
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  if (node.attributes.text("mode") != "constant")
    return base::Reason{"only padding with a constant is supported"};
  double value = node.attributes.real("value");
  Ints pads = node.attributes.integers("pads");
  if (node.has_input(1)) {
    auto input = to.integers(node, 1);
    if (!input) return input.reason();
    pads = std::move(input).value();
  }
  if (node.has_input(2)) {
    const auto input = to.reals(node, 2);
    if (!input) return input.reason();
    if (input->count() != 1) return base::Reason{"its value is no single number"};
    value = widened(input->reals->as<float>()[0]);
  }
  if (std::all_of(pads.begin(), pads.end(), [](std::int64_t pad) { return pad == 0; })) {
    to.bind(node.file.outputs[0], *x);
    return {};
  }
  const auto rank = static_cast<std::size_t>(to.rank(*x));
  const bool is_spatial = to.has_batch() && rank >= 3 && pads.size() == 2 * rank && value == 0 &&
                          pads[0] == 0 && pads[1] == 0 && pads[rank] == 0 && pads[rank + 1] == 0 &&
                          std::all_of(pads.begin(), pads.end(), [](std::int64_t pad) { return pad >= 0; });
  if (!is_spatial) {
    const graph::LayerKind* kind = layers::find("Pad");
    if (kind == nullptr || !to.has_batch())
      return base::Reason{"only padding of spatial dimensions with zeros is supported"};
    return to.emit(node, *kind, to.layer_name(node), {{"pads", std::move(pads)}, {"value", value}}, {*x});
  }
  pads.erase(pads.begin() + static_cast<std::ptrdiff_t>(rank),
             pads.begin() + static_cast<std::ptrdiff_t>(rank) + 2);
  pads.erase(pads.begin(), pads.begin() + 2);
  to.bind(node.file.outputs[0],
          Padded{node.file.name.empty() ? node.file.outputs[0] : node.file.name, *x, std::move(pads)});
  return {};
}

base::Verdict translate_gather(const Node& node, Translation& to) {
  const graph::LayerKind* kind = layers::find("Gather");
  if (kind == nullptr) return base::Reason{"this operator is not supported"};
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  auto indices = to.integers(node, 1);
  if (!indices) return indices.reason();
  if (to.constant(node.file.inputs[1])->tensor.dims.size() != 1)
    return base::Reason{"one index alone would take a dimension away; a list of indices is supported"};
  const auto axis = to.axis(node.attributes.integer("axis"), *x);
  if (!axis) return axis.reason();
  return to.emit(node, *kind, to.layer_name(node),
                 {{"indices", std::move(indices).value()},
                  {"axis", to.has_batch() ? node.attributes.integer("axis") : *axis}},
                 {*x});
}

base::Verdict translate_identity(const Node& node, Translation& to) {
  if (!node.has_input(0)) return base::Reason{"it has no input"};
  if (const Constant* constant = to.constant(node.file.inputs[0])) {
    Constant copy = *constant;
    copy.tensor.name =
        node.file.outputs[0];  // exporters write equal weights once, and an Identity for each further one
    to.bind(node.file.outputs[0], std::move(copy));
    return {};
  }
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  to.bind(node.file.outputs[0], *x);
  return {};
}

}  // namespace convoy::onnx
