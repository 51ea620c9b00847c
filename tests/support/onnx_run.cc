#include "tests/support/onnx_run.h"

#include "convoy/kernels/catalog.h"
#include "convoy/run/initialise.h"
#include "convoy/run/planning.h"
#include "convoy/run/segment_codec.h"

namespace convoy::testing {
namespace {

// One that serves training, too, where the graph has a loss.
plan::Plan plan_of(const graph::Graph& graph) {
  if (graph.loss() < 0) return run::inference_plan(graph, 1);
  run::RunConfig config;
  config.threads = 1;
  config.tune = "off";
  return run::choose_plan(graph, config).plan;
}

}  // namespace

OnnxRun::OnnxRun(const graph::Graph& graph, const onnx::Weights& weights)
    : graph_(graph),
      objective_(exec::make_graph_objective(graph, plan_of(graph), {}, kernels::catalog())),
      store_(train::make_local_store({.layout = objective_->layout(), .codec = run::make_segment_codec()})) {
  run::load_weights(weights, *store_);
}

tensor::Batch OnnxRun::batch(std::span<const float> samples, std::int64_t n) const {
  std::vector<std::int64_t> sizes = graph_.input_shape().sizes();
  sizes.insert(sizes.begin(), n);
  tensor::Batch batch{.size = n, .global_size = n};
  batch.inputs = tensor::ConstView(samples.data(), tensor::DType::f32, tensor::Shape(std::move(sizes)));
  return batch;
}

std::vector<float> OnnxRun::outputs(std::span<const float> samples, std::int64_t n, bool training) {
  std::vector<float> outputs(static_cast<std::size_t>(n * objective_->output_count()));
  optim::Sinks sinks{.outputs = outputs};
  if (training) {
    sinks.gradients = &store_->gradient_sink();
    sinks.state = &store_->state_sink();
  }
  const std::vector<std::int32_t> labels(static_cast<std::size_t>(n), 0);
  tensor::Batch samples_batch = batch(samples, n);
  if (graph_.labels() >= 0) samples_batch.labels = labels;
  objective_->evaluate(store_->source(), samples_batch, {}, sinks,
                       training ? optim::Mode::gradient : optim::Mode::predict);
  if (training) store_->commit();
  return outputs;
}

double OnnxRun::loss(std::span<const float> samples, std::span<const std::int32_t> labels) {
  tensor::Batch samples_batch = batch(samples, static_cast<std::int64_t>(labels.size()));
  samples_batch.labels = labels;
  return objective_->evaluate(store_->source(), samples_batch, {}, {}, optim::Mode::loss).loss;
}

std::vector<float> OnnxRun::next_state(const std::string& name) {
  const tensor::ParamLayout& layout = store_->layout();
  const int index = layout.find(name);
  CONVOY_CHECK(index >= 0, name);
  const tensor::Segment& segment = layout.segments[static_cast<std::size_t>(index)];
  const auto values = store_->state().subspan(static_cast<std::size_t>(segment.offset),
                                              static_cast<std::size_t>(segment.count));
  return {values.begin(), values.end()};
}

}  // namespace convoy::testing
