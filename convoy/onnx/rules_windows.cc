// Operators that look at neighbours: pooling and local normalisation.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/onnx/rules.h"

namespace convoy::onnx {
namespace {

using Ints = std::vector<std::int64_t>;

// The layer of the operator on `x` with those of its attributes that the layer has.
base::Verdict emit_as(const graph::LayerKind& kind, const Node& node, Translation& to, graph::ValueId x,
                      const graph::Attributes& all) {
  graph::Attributes attributes;
  for (const graph::AttributeSpec& spec : kind.attributes)
    if (all.has(spec.name)) attributes.set(std::string(spec.name), all.values().find(spec.name)->second);
  return to.emit(node, kind, to.layer_name(node), attributes, {x});
}

base::Verdict translate_as(const graph::LayerKind& kind, const Node& node, Translation& to) {
  if (!to.has_batch()) return base::Reason{"it needs an input whose dimension 0 is the batch"};
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  return emit_as(kind, node, to, *x, node.attributes);
}

}  // namespace

base::Verdict translate_max_pool(const Node& node, Translation& to) {
  return translate_as(layers::kMaxPool, node, to);  // storage_order concerns the indices alone
}

base::Verdict translate_lp_pool(const Node& node, Translation& to) {
  return translate_as(layers::kLpPool, node, to);
}

// Zeros that a Pad put there count, as the divisor has it, where the pool has no pads of its own.
base::Verdict translate_average_pool(const Node& node, Translation& to) {
  if (!to.has_batch()) return base::Reason{"it needs an input whose dimension 0 is the batch"};
  graph::Attributes attributes = node.attributes;
  const auto x = to.padded_data(node, attributes);
  if (!x) return x.reason();
  if (attributes.integers("pads") == node.attributes.integers("pads"))
    return emit_as(layers::kAveragePool, node, to, *x, attributes);
  const Ints& own = node.attributes.integers("pads");
  const bool has_own = std::any_of(own.begin(), own.end(), [](std::int64_t pad) { return pad != 0; });
  if (attributes.integer("ceil_mode") != 0 || (has_own && attributes.integer("count_include_pad") == 0))
    return base::Reason{"its input is padded; that is supported without ceil_mode and pads of its own"};
  attributes.set("count_include_pad", std::int64_t{1});
  return emit_as(layers::kAveragePool, node, to, *x, attributes);
}

base::Verdict translate_global_average_pool(const Node& node, Translation& to) {
  return translate_as(layers::kGlobalAveragePool, node, to);
}

base::Verdict translate_lrn(const Node& node, Translation& to) {
  return translate_as(layers::kLrn, node, to);
}

// The mean over all positions of an image, and no other.
base::Verdict translate_reduce_mean(const Node& node, Translation& to) {
  if (!to.has_batch()) return base::Reason{"it needs an input whose dimension 0 is the batch"};
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  Ints axes;
  for (const std::int64_t given : node.attributes.integers("axes")) {
    const auto axis = to.axis(given, *x);
    if (!axis) return axis.reason();
    axes.push_back(*axis);
  }
  std::sort(axes.begin(), axes.end());
  Ints spatial;
  for (int d = 2; d < to.rank(*x); ++d) spatial.push_back(d);
  if (spatial.empty() || axes != spatial)
    return base::Reason{"only the mean over all spatial dimensions is supported"};
  const std::string name = to.layer_name(node);
  const auto mean = to.add(layers::kGlobalAveragePool, name, {}, {*x});
  if (!mean) return mean.reason();
  if (node.attributes.integer("keepdims") != 0) {
    to.bind(node.file.outputs[0], *mean);
    return {};
  }
  const auto flat = to.reshape(to.unique_name(name + "_flat"), *mean, {to.sample_sizes(*mean)[0]});
  if (!flat) return flat.reason();
  to.bind(node.file.outputs[0], *flat);
  return {};
}

}  // namespace convoy::onnx
