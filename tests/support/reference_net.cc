#include "tests/support/reference_net.h"

#include <algorithm>
#include <utility>

namespace convoy::testing {
namespace {

using tensor::ConstView;
using tensor::DType;
using tensor::SegmentKind;
using tensor::Shape;
using tensor::View;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// Float64 arrays of one evaluation, and the two sweeps over the layers.
class Evaluation {
 public:
  Evaluation(const graph::Graph& graph, const NetInput& input, bool training)
      : graph_(graph), input_(input), shapes_(graph.infer(input.n)) {
    context_.training = training;
    context_.key = input.key;
    context_.global_batch = input.global_batch;
    values_.resize(graph.values().size());
    for (std::size_t v = 0; v < values_.size(); ++v)
      values_[v].assign(static_cast<std::size_t>(shapes_.values[v].count()), 0.0);
    values_[0] = input.samples;
    for (const auto& array : input.segments) note(array);
    note(values_[0]);
    gradients_.resize(values_.size());
    int segment = 0;
    for (const graph::Signature& signature : shapes_.signatures) {
      first_segment_.push_back(segment);
      segment += static_cast<int>(signature.params.size());
    }
    result_.gradients.resize(at(segment));
    result_.next_state.resize(at(segment));
  }

  NetResult run() {
    for (int i = 0; i < layer_count(); ++i) forward(i);
    result_.output = values_[at(graph_.output())];
    if (graph_.loss() < 0) return std::move(result_);
    result_.loss = values_[at(graph_.loss())][0];
    if (!context_.training) return std::move(result_);
    gradients_[at(graph_.loss())] = {1.0};
    for (int i = layer_count(); i-- > 0;) backward(i);
    return std::move(result_);
  }

 private:
  void note(const std::vector<double>& array) {
    for (const double value : array)
      if (tensor::to_f32(tensor::to_bf16(static_cast<float>(value))) != value) result_.fits_bf16 = false;
  }

  int layer_count() const { return static_cast<int>(graph_.layers().size()); }

  View writable(std::vector<double>& array, const Shape& shape) const {
    return {array.data(), DType::f64, shape};
  }

  std::vector<ConstView> input_views(int i) const {
    std::vector<ConstView> views;
    for (const int v : graph_.layers()[at(i)].inputs)
      views.push_back(graph_.values()[at(v)].is_label
                          ? ConstView(input_.labels.data(), DType::i32, {input_.n})
                          : ConstView(values_[at(v)].data(), DType::f64, shapes_.values[at(v)]));
    return views;
  }

  std::vector<ConstView> param_views(int i) const {
    std::vector<ConstView> views;
    const auto& params = shapes_.signatures[at(i)].params;
    for (std::size_t k = 0; k < params.size(); ++k)
      views.emplace_back(input_.segments[at(first_segment_[at(i)]) + k].data(), DType::f64, params[k].shape);
    return views;
  }

  std::vector<View> output_views(int i) {
    std::vector<View> views;
    for (const int v : graph_.layers()[at(i)].outputs)
      views.push_back(writable(values_[at(v)], shapes_.values[at(v)]));
    return views;
  }

  // One array a parameter (or state) of layer i, sized and kept in `store`.
  std::vector<View> segment_views(int i, SegmentKind kind, std::vector<std::vector<double>>& store) {
    std::vector<View> views;
    const auto& params = shapes_.signatures[at(i)].params;
    for (std::size_t k = 0; k < params.size(); ++k) {
      std::vector<double>& array = store[at(first_segment_[at(i)]) + k];
      if (params[k].kind == kind) array.assign(static_cast<std::size_t>(params[k].shape.count()), 0.0);
      views.push_back(params[k].kind == kind ? writable(array, params[k].shape) : View());
    }
    return views;
  }

  void forward(int i) {
    context_.layer_index = i;
    const auto inputs = input_views(i), params = param_views(i);
    const auto outputs = output_views(i);
    std::vector<View> next_state;
    if (context_.training) next_state = segment_views(i, SegmentKind::state, result_.next_state);
    const graph::Layer& layer = graph_.layers()[at(i)];
    layer.kind->forward({.attributes = layer.attributes,
                         .context = context_,
                         .inputs = inputs,
                         .params = params,
                         .outputs = outputs,
                         .next_state = next_state,
                         .output_gradients = {},
                         .input_gradients = {},
                         .param_gradients = {}});
    for (const int v : layer.outputs) note(values_[at(v)]);
  }

  void backward(int i) {
    const graph::Layer& layer = graph_.layers()[at(i)];
    const auto param_gradients = segment_views(i, SegmentKind::parameter, result_.gradients);
    std::vector<ConstView> output_gradients;
    bool reached = false;
    for (const int v : layer.outputs) {
      reached = reached || !gradients_[at(v)].empty();
      gradients_[at(v)].resize(values_[at(v)].size(), 0.0);
      output_gradients.emplace_back(gradients_[at(v)].data(), DType::f64, shapes_.values[at(v)]);
    }
    if (!reached) return;
    context_.layer_index = i;
    const auto inputs = input_views(i), params = param_views(i);
    const auto outputs = output_views(i);
    std::vector<std::vector<double>> contributions(layer.inputs.size());
    std::vector<View> input_gradients;
    for (std::size_t k = 0; k < layer.inputs.size(); ++k) {
      const int v = layer.inputs[k];
      if (!graph_.values()[at(v)].is_label) contributions[k].resize(values_[at(v)].size());
      input_gradients.push_back(contributions[k].empty() ? View()
                                                         : writable(contributions[k], shapes_.values[at(v)]));
    }
    layer.kind->backward({.attributes = layer.attributes,
                          .context = context_,
                          .inputs = inputs,
                          .params = params,
                          .outputs = outputs,
                          .next_state = {},
                          .output_gradients = output_gradients,
                          .input_gradients = input_gradients,
                          .param_gradients = param_gradients});
    for (std::size_t k = 0; k < layer.inputs.size(); ++k) {
      std::vector<double>& sum = gradients_[at(layer.inputs[k])];
      sum.resize(contributions[k].size(), 0.0);
      for (std::size_t e = 0; e < contributions[k].size(); ++e) sum[e] += contributions[k][e];
      note(contributions[k]);
      note(sum);
    }
  }

  const graph::Graph& graph_;
  const NetInput& input_;
  graph::Shapes shapes_;
  graph::EvalContext context_;
  std::vector<std::vector<double>> values_, gradients_;  // by value
  std::vector<int> first_segment_;
  NetResult result_;
};

}  // namespace

NetResult evaluate_reference(const graph::Graph& graph, const NetInput& input, bool training) {
  return Evaluation(graph, input, training).run();
}

}  // namespace convoy::testing
