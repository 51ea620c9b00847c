// How each operator of ONNX becomes layers.
#pragma once

#include <span>
#include <string_view>

#include "convoy/onnx/translation.h"

namespace convoy::onnx {

// An axis that a node does not give, where the default depends on the opset.
inline constexpr std::int64_t kNoAxis = -1'000'000;

struct Rule {
  std::string_view op;
  // ONNX's attributes of all opsets that are read, with their defaults; of the wrong type or beyond these, a
  // node is refused.
  std::span<const graph::AttributeSpec> attributes;
  // Binds the node's first output. Refuses with the reason alone.
  base::Verdict (*translate)(const Node& node, Translation& to) = nullptr;
};

// The rule of the operator, or null.
const Rule* find_rule(std::string_view op);
// "Add, AveragePool, …", for messages about an unknown operator.
std::string readable_ops();

// With weights.
base::Verdict translate_conv(const Node& node, Translation& to);
base::Verdict translate_gemm(const Node& node, Translation& to);
base::Verdict translate_matmul(const Node& node, Translation& to);
base::Verdict translate_batch_normalization(const Node& node, Translation& to);
// Under a window, or over all of the image.
base::Verdict translate_max_pool(const Node& node, Translation& to);
base::Verdict translate_average_pool(const Node& node, Translation& to);
base::Verdict translate_lp_pool(const Node& node, Translation& to);
base::Verdict translate_global_average_pool(const Node& node, Translation& to);
base::Verdict translate_reduce_mean(const Node& node, Translation& to);
base::Verdict translate_lrn(const Node& node, Translation& to);
// Element by element, or along an axis.
base::Verdict translate_activation(const Node& node, Translation& to);
base::Verdict translate_dropout(const Node& node, Translation& to);
base::Verdict translate_softmax(const Node& node, Translation& to);
base::Verdict translate_broadcast(const Node& node, Translation& to);
// Shapes alone.
base::Verdict translate_flatten(const Node& node, Translation& to);
base::Verdict translate_reshape(const Node& node, Translation& to);
base::Verdict translate_squeeze(const Node& node, Translation& to);
base::Verdict translate_unsqueeze(const Node& node, Translation& to);
base::Verdict translate_concat(const Node& node, Translation& to);
base::Verdict translate_gather(const Node& node, Translation& to);
base::Verdict translate_pad(const Node& node, Translation& to);
base::Verdict translate_identity(const Node& node, Translation& to);

}  // namespace convoy::onnx
