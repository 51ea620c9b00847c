// Operators whose weights are parameters of the layer.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/onnx/rules.h"

namespace convoy::onnx {
namespace {

using graph::AttributeValue;
using Ints = std::vector<std::int64_t>;

base::Verdict wants_batch(const Translation& to) {
  if (to.has_batch()) return {};
  return base::Reason{"it needs an input whose dimension 0 is the batch"};
}

std::shared_ptr<tensor::Tensor> new_reals(const Ints& sizes) {
  return std::make_shared<tensor::Tensor>(tensor::DType::f32, tensor::Shape(sizes));
}

// factor * values, transposed where asked. Two dimensions.
FileTensor scaled_matrix(const FileTensor& matrix, double factor, bool transposed) {
  if (factor == 1 && !transposed) return matrix;
  const std::int64_t rows = matrix.dims[0], columns = matrix.dims[1];
  const Ints sizes = transposed ? Ints{columns, rows} : matrix.dims;
  auto values = new_reals(sizes);
  const auto from = matrix.reals->as<float>();
  const auto to = values->as<float>();
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      to[static_cast<std::size_t>(transposed ? c * rows + r : r * columns + c)] =
          static_cast<float>(factor * from[static_cast<std::size_t>(r * columns + c)]);
  return make_reals(matrix.name, sizes, std::move(values));
}

// factor * values for `outputs` outputs, a single value repeated; refuses what is not the same for all rows.
base::Result<FileTensor> bias_vector(const FileTensor& bias, double factor, std::int64_t outputs) {
  const bool is_row = bias.dims.size() <= 1 || (bias.dims.size() == 2 && bias.dims[0] == 1);
  if (!is_row || (bias.count() != 1 && bias.count() != outputs))
    return base::Reason{base::str("C is ", tensor::Shape(bias.dims).str(),
                                  "; one value for all outputs or one for each of the ", outputs,
                                  " is supported, the same in every row")};
  if (factor == 1 && bias.dims == Ints{outputs}) return bias;
  auto values = new_reals({outputs});
  const auto from = bias.reals->as<float>();
  const auto to = values->as<float>();
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i] = static_cast<float>(factor * from[from.size() == 1 ? 0 : i]);
  return make_reals(bias.name, {outputs}, std::move(values));
}

// y = x w with constant w {C, K} or, transposed, {K, C}.
struct Product {
  FileTensor weight;  // {K, C}
  std::optional<FileTensor> bias;
};

base::Verdict emit_product(const Node& node, Translation& to, graph::ValueId x, const Product& product) {
  const std::string name = to.layer_name(node, product.weight.name);
  const base::Verdict emitted = to.emit(
      node, layers::kGemm, name,
      {{"output_features", product.weight.dims[0]}, {"has_bias", std::int64_t{product.bias.has_value()}}},
      {x});
  if (!emitted) return emitted;
  to.set_weight(name, "weight", product.weight);
  if (product.bias) to.set_weight(name, "bias", *product.bias);
  return {};
}

// y = w x, where x {C, M} is one sample: a convolution of M positions with taps of one.
base::Verdict emit_left_product(const Node& node, Translation& to, graph::ValueId x, FileTensor weight) {
  const std::string name = to.layer_name(node, weight.name);
  const std::int64_t outputs = weight.dims[0], inputs = weight.dims[1];
  auto values = new_reals({outputs, inputs, 1});
  std::copy_n(weight.reals->as<float>().begin(), values->as<float>().size(), values->as<float>().begin());
  const base::Verdict emitted =
      to.emit(node, layers::kConv, name,
              {{"output_channels", outputs}, {"kernel_shape", Ints{1}}, {"has_bias", std::int64_t{0}}}, {x});
  if (emitted)
    to.set_weight(name, "weight", make_reals(weight.name, {outputs, inputs, 1}, std::move(values)));
  return emitted;
}

base::Result<FileTensor> matrix(const Node& node, const Translation& to, std::size_t index) {
  auto values = to.reals(node, index);
  if (values && values->dims.size() != 2)
    return base::Reason{
        base::str("input ", index + 1, " has ", values->dims.size(), " dimensions; 2 are wanted")};
  return values;
}

struct GemmFactors {
  double alpha = 1, beta = 1;
  bool transposed_a = false, transposed_b = false;
};

// The constant is A, so that the columns of B are what varies.
base::Verdict translate_left_gemm(const Node& node, Translation& to, const GemmFactors& factors) {
  const auto a = matrix(node, to, 0);
  if (!a) return a.reason();
  const auto b = to.data(node, 1);
  if (!b) return b.reason();
  if (to.has_batch() || factors.transposed_b)
    return base::Reason{"A is a constant; that is supported where B is one sample and not transposed"};
  const base::Verdict emitted =
      emit_left_product(node, to, *b, scaled_matrix(*a, factors.alpha, factors.transposed_a));
  if (!emitted || !node.has_input(2)) return emitted;
  if (factors.beta != 1) return base::Reason{"A is a constant; that is supported with beta=1"};
  const auto product = *to.value(node.file.outputs[0]);
  const auto c = to.operand(node, 2, 2);
  if (!c) return c.reason();
  return to.emit(node, layers::kAdd, to.layer_name(node), {}, {product, *c});
}

}  // namespace

base::Verdict translate_conv(const Node& node, Translation& to) {
  if (const auto verdict = wants_batch(to); !verdict) return verdict;
  graph::Attributes attributes = node.attributes;
  const auto x = to.padded_data(node, attributes);
  if (!x) return x.reason();
  const auto weight = to.reals(node, 1);
  if (!weight) return weight.reason();
  if (weight->dims.size() < 3)
    return base::Reason{
        base::str("W has ", weight->dims.size(), " dimensions; {K, C, spatial...} is wanted")};
  const Ints kernel(weight->dims.begin() + 2, weight->dims.end());
  if (attributes.integers("kernel_shape").empty()) attributes.set("kernel_shape", kernel);
  if (attributes.integers("kernel_shape") != kernel)
    return base::Reason{
        base::str("W is ", tensor::Shape(weight->dims).str(), ", which is not the kernel_shape")};
  attributes.set("output_channels", weight->dims[0]);
  attributes.set("has_bias", std::int64_t{node.has_input(2)});
  const std::string name = to.layer_name(node, weight->name);
  if (const auto verdict = to.emit(node, layers::kConv, name, attributes, {*x}); !verdict) return verdict;
  to.set_weight(name, "weight", *weight);
  if (!node.has_input(2)) return {};
  const auto bias = to.reals(node, 2);
  if (!bias) return bias.reason();
  to.set_weight(name, "bias", *bias);
  return {};
}

base::Verdict translate_gemm(const Node& node, Translation& to) {
  const GemmFactors factors = {.alpha = node.attributes.real("alpha"),
                               .beta = node.attributes.real("beta"),
                               .transposed_a = node.attributes.integer("transA") != 0,
                               .transposed_b = node.attributes.integer("transB") != 0};
  if (node.has_input(0) && to.constant(node.file.inputs[0]) != nullptr)
    return translate_left_gemm(node, to, factors);
  if (const auto verdict = wants_batch(to); !verdict) return verdict;
  if (factors.transposed_a) return base::Reason{"transA=1 would make the features the batch"};
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  const auto b = matrix(node, to, 1);
  if (!b) return b.reason();
  Product product{.weight = scaled_matrix(*b, factors.alpha, !factors.transposed_b)};
  if (node.has_input(2) && factors.beta != 0) {
    const auto c = to.reals(node, 2);
    if (!c) return c.reason();
    const auto bias = bias_vector(*c, factors.beta, product.weight.dims[0]);
    if (!bias) return bias.reason();
    product.bias = *bias;
  }
  return emit_product(node, to, *x, product);
}

base::Verdict translate_matmul(const Node& node, Translation& to) {
  if (node.has_input(0) && to.constant(node.file.inputs[0]) != nullptr)
    return translate_left_gemm(node, to, {});
  if (const auto verdict = wants_batch(to); !verdict) return verdict;
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  const auto b = matrix(node, to, 1);
  if (!b) return b.reason();
  return emit_product(node, to, *x, {.weight = scaled_matrix(*b, 1, true)});
}

base::Verdict translate_batch_normalization(const Node& node, Translation& to) {
  if (const auto verdict = wants_batch(to); !verdict) return verdict;
  const auto x = to.data(node, 0);
  if (!x) return x.reason();
  if (node.attributes.integer("spatial") == 0 && to.rank(*x) > 2)
    return base::Reason{"spatial=0 has statistics of its own for each position, which no layer has"};
  constexpr const char* kParams[] = {"scale", "bias", "running_mean", "running_var"};
  std::vector<FileTensor> values;
  for (std::size_t i = 0; i < std::size(kParams); ++i) {
    const auto input = to.reals(node, i + 1);
    if (!input) return input.reason();
    values.push_back(*input);
  }
  const std::string name = to.layer_name(node, values[0].name);
  const base::Verdict emitted = to.emit(
      node, layers::kBatchNormalization, name,
      {{"epsilon", node.attributes.real("epsilon")}, {"momentum", node.attributes.real("momentum")}}, {*x});
  if (!emitted) return emitted;
  for (std::size_t i = 0; i < std::size(kParams); ++i) to.set_weight(name, kParams[i], values[i]);
  return {};
}

}  // namespace convoy::onnx
