#include "convoy/layers/layer_case.h"

#include <algorithm>
#include <limits>

#include "convoy/base/check.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using tensor::ConstView;
using tensor::DType;
using tensor::Tensor;
using tensor::View;

std::vector<Tensor> like(const std::vector<Tensor>& originals) {
  std::vector<Tensor> copies;
  for (const Tensor& original : originals) copies.emplace_back(DType::f64, original.shape());
  return copies;
}

std::vector<ConstView> read(const std::vector<Tensor>& tensors) {
  std::vector<ConstView> views;
  for (const Tensor& tensor : tensors) views.push_back(tensor.view());
  return views;
}

std::vector<View> write(std::vector<Tensor>& tensors) {
  std::vector<View> views;
  for (Tensor& tensor : tensors) views.push_back(tensor.view());
  return views;
}

}  // namespace

LayerCase::LayerCase(const graph::LayerKind& its_kind, const graph::LayerSample& sample) : kind(its_kind) {
  base::Result<graph::Attributes> completed = graph::complete(sample.attributes, kind.attributes);
  CONVOY_CHECK(completed.ok(), kind.op, ", ", sample.name, ": ", completed.reason().text);
  attributes = std::move(completed).value();
  base::Result<graph::Signature> inferred = kind.infer(attributes, sample.inputs);
  CONVOY_CHECK(inferred.ok(), kind.op, ", ", sample.name, ": ", inferred.reason().text);
  signature = std::move(inferred).value();
  context.global_batch = sample.inputs[0].rank() > 0 ? sample.inputs[0][0] : 1;
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    const bool labels = kind.traits.takes_labels && i + 1 == sample.inputs.size();
    inputs.emplace_back(labels ? DType::i32 : DType::f64, sample.inputs[i]);
  }
  for (const graph::ParamSpec& param : signature.params) params.emplace_back(DType::f64, param.shape);
  for (const tensor::Shape& output : signature.outputs) outputs.emplace_back(DType::f64, output);
  next_state = like(params);
  input_gradients = like(inputs);
  param_gradients = like(params);
  output_gradients = like(outputs);
}

bool LayerCase::is_label(std::size_t input) const { return inputs[input].type() == DType::i32; }

bool LayerCase::is_state(std::size_t param) const {
  return signature.params[param].kind == tensor::SegmentKind::state;
}

template <class Draw>
void LayerCase::fill(Draw&& draw, std::uint64_t seed) {
  std::uint64_t array = 0;
  const auto fill_all = [&](std::vector<Tensor>& tensors) {
    for (Tensor& tensor : tensors) {
      base::RandomStream stream(seed, base::Purpose::test, 0, array++);
      if (tensor.type() == DType::f64)
        for (double& value : tensor.as<double>()) value = draw(stream);
      else
        for (std::int32_t& label : tensor.as<std::int32_t>())
          label = static_cast<std::int32_t>(stream.below(static_cast<std::uint64_t>(inputs[0].shape()[1])));
    }
  };
  fill_all(inputs);
  fill_all(params);
  fill_all(output_gradients);
  for (std::size_t i = 0; i < params.size(); ++i)
    if (signature.params[i].role == tensor::ParamRole::running_var)
      for (double& value : params[i].as<double>()) value = value * value + 1;
}

void LayerCase::fill_grid(Tensor& input, std::uint64_t seed) {
  const auto x = input.as<double>();
  const double middle = static_cast<double>(x.size() / 2) - 0.5;
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = (static_cast<double>(i) - middle) * kGrid;
  base::RandomStream stream(seed, base::Purpose::test, 1, 0);
  for (std::size_t i = x.size(); i > 1; --i) std::swap(x[i - 1], x[stream.below(i)]);
}

void LayerCase::fill_random(std::uint64_t seed) {
  fill([](base::RandomStream& stream) { return stream.normal(); }, seed);
  if (!kind.traits.has_kinks) return;
  for (Tensor& input : inputs) fill_grid(input, seed);
}

void LayerCase::fill_integers(std::uint64_t seed) {
  fill([](base::RandomStream& stream) { return static_cast<double>(stream.below(9)) - 4; }, seed);
}

void LayerCase::poison() {
  for (std::vector<Tensor>* tensors : {&outputs, &next_state, &input_gradients, &param_gradients})
    for (Tensor& tensor : *tensors)
      for (double& value : tensor.as<double>()) value = std::numeric_limits<double>::quiet_NaN();
}

void LayerCase::forward() {
  std::vector<View> states = write(next_state);
  for (std::size_t i = 0; i < params.size(); ++i)
    if (!context.training || !is_state(i)) states[i] = View();
  const auto in = read(inputs), weights = read(params);
  const auto out = write(outputs);
  kind.forward({.attributes = attributes,
                .context = context,
                .inputs = in,
                .params = weights,
                .outputs = out,
                .next_state = states,
                .output_gradients = {},
                .input_gradients = {},
                .param_gradients = {}});
}

void LayerCase::backward() { backward(std::vector<bool>(inputs.size() + params.size(), true)); }

void LayerCase::backward(const std::vector<bool>& wanted) {
  std::vector<View> input_views = write(input_gradients), param_views = write(param_gradients);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (is_label(i) || !wanted[i]) input_views[i] = View();
  for (std::size_t i = 0; i < params.size(); ++i)
    if (is_state(i) || !wanted[inputs.size() + i]) param_views[i] = View();
  const auto in = read(inputs), weights = read(params), gradients = read(output_gradients);
  const auto out = write(outputs);
  kind.backward({.attributes = attributes,
                 .context = context,
                 .inputs = in,
                 .params = weights,
                 .outputs = out,
                 .next_state = {},
                 .output_gradients = gradients,
                 .input_gradients = input_views,
                 .param_gradients = param_views});
}

}  // namespace convoy::layers
