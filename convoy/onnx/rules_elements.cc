// Operators on single elements, and along an axis.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "convoy/layers/catalog.h"
#include "convoy/onnx/rules.h"

namespace convoy::onnx {
namespace {

using graph::ValueId;
using Ints = std::vector<std::int64_t>;

std::int64_t product(Ints::const_iterator begin, Ints::const_iterator end) {
  return std::accumulate(begin, end, std::int64_t{1}, std::multiplies<>());
}

// The operand with the most dimensions that is computed decides how the others are laid on it.
base::Result<int> common_rank(const Node& node, Translation& to) {
  int rank = -1;
  for (std::size_t i = 0; i < node.file.inputs.size(); ++i) {
    if (to.constant(node.file.inputs[i]) != nullptr) continue;
    const auto value = to.data(node, i);
    if (!value) return value.reason();
    rank = std::max(rank, to.rank(*value));
  }
  if (rank < 0) return base::Reason{"all its inputs are constants; fold them before export"};
  return rank;
}

// Up to opset 12, everything from the axis on is normalised together.
base::Verdict translate_flat_softmax(const Node& node, Translation& to, std::int64_t axis) {
  const graph::LayerKind& kind = *layers::find(node.file.op);
  const ValueId x = *to.value(node.file.inputs[0]);
  const Ints sizes = to.sample_sizes(x);
  if (axis < 1) return base::Reason{"its axis is the batch"};
  const auto split = sizes.begin() + static_cast<std::ptrdiff_t>(axis - 1);
  const std::string name = to.layer_name(node);
  if (split + 1 == sizes.end()) return to.emit(node, kind, name, {{"axis", axis}}, {x});
  const auto flat = to.reshape(to.unique_name(name + "_flat"), x,
                               {product(sizes.begin(), split), product(split, sizes.end())});
  if (!flat) return flat.reason();
  const auto y = to.add(kind, name, {}, {*flat});
  if (!y) return y.reason();
  const auto back = to.reshape(to.unique_name(name + "_back"), *y, sizes);
  if (!back) return back.reason();
  to.bind(node.file.outputs[0], *back);
  return {};
}

// The factor of a Mul by one number that nobody learns, where there is a layer for it.
std::optional<double> constant_factor(const Node& node, const Translation& to) {
  if (node.file.op != "Mul" || node.file.inputs.size() != 2 || layers::find("Scale") == nullptr) return {};
  const Constant* constant = to.constant(node.file.inputs[1]);
  if (constant == nullptr || constant->learned || constant->tensor.reals == nullptr ||
      constant->tensor.count() != 1)
    return {};
  const double factor = widened(constant->tensor.reals->as<float>()[0]);
  return std::isfinite(factor) ? std::optional(factor) : std::nullopt;
}

}  // namespace

base::Verdict translate_activation(const Node& node, Translation& to) {
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  graph::Attributes attributes;
  if (node.attributes.has("alpha")) attributes.set("alpha", node.attributes.real("alpha"));
  return to.emit(node, *layers::find(node.file.op), to.layer_name(node), attributes, {*x});
}

// In training the layer draws, in inference it passes on, whatever training_mode says: the run decides.
base::Verdict translate_dropout(const Node& node, Translation& to) {
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  double ratio = node.attributes.real("ratio");
  if (to.opset() >= 12 && node.has_input(1)) {
    const auto values = to.reals(node, 1);
    if (!values) return values.reason();
    if (values->count() != 1) return base::Reason{base::str("its ratio has ", values->count(), " values")};
    ratio = widened(values->reals->as<float>()[0]);
  }
  if (to.opset() >= 12 && node.has_input(2) && to.constant(node.file.inputs[2]) == nullptr)
    return base::Reason{"its training_mode is computed"};
  return to.emit(node, layers::kDropout, to.layer_name(node), {{"ratio", ratio}}, {*x});
}

base::Verdict translate_softmax(const Node& node, Translation& to) {
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  const bool is_flat = to.opset() < 13;
  const std::int64_t given = node.attributes.integer("axis");
  const std::int64_t named = given == kNoAxis ? (is_flat ? 1 : -1) : given;
  const auto axis = to.axis(named, *x);
  if (!axis) return axis.reason();
  if (is_flat) return translate_flat_softmax(node, to, *axis);
  return to.emit(node, *layers::find(node.file.op), to.layer_name(node),
                 {{"axis", to.has_batch() ? named : *axis}}, {*x});
}

// Add, Mul and Sum. Up to opset 6 a second operand repeats only if asked to, from an axis on.
base::Verdict translate_broadcast(const Node& node, Translation& to) {
  const auto rank = common_rank(node, to);
  if (!rank) return rank.reason();
  if (const auto factor = constant_factor(node, to);
      factor && to.constant(node.file.inputs[1])->tensor.dims.size() <= static_cast<std::size_t>(*rank))
    return to.emit(node, *layers::find("Scale"), to.layer_name(node), {{"factor", *factor}},
                   {to.computed(node.file.inputs[0]).value()});
  std::optional<std::int64_t> axis;
  if (node.attributes.has("axis") && node.attributes.integer("axis") != kNoAxis) {
    if (to.opset() > 6) return base::Reason{"attribute axis is of opset 6 and below"};
    axis = node.attributes.integer("axis") + (node.attributes.integer("axis") < 0 ? *rank : 0);
  }
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < node.file.inputs.size(); ++i) {
    const auto input = to.operand(node, i, *rank, i == 1 ? axis : std::nullopt);
    if (!input) return input.reason();
    inputs.push_back(*input);
  }
  return to.emit(node, *layers::find(node.file.op), to.layer_name(node), {}, std::move(inputs));
}

}  // namespace convoy::onnx
