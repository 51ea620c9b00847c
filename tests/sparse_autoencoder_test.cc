// The sparse autoencoders in training: what they put together again resembles the digits ever more, and a run
// that was stopped goes on as if it had not been.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "convoy/base/stop.h"
#include "convoy/exec/graph_objective.h"
#include "convoy/io/file.h"
#include "convoy/io/safetensors.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/models/catalog.h"
#include "convoy/optim/gradient_check.h"
#include "convoy/plan/resolve.h"
#include "convoy/run/assemble.h"
#include "convoy/run/feed.h"
#include "convoy/run/initialise.h"
#include "convoy/run/model_file.h"
#include "convoy/run/segment_codec.h"
#include "convoy/run/training.h"

namespace convoy {
namespace {

class SparseAutoencoder : public testing::TestWithParam<std::string> {
 protected:
  // Two levels of four maps.
  run::ResolvedConfig small(const std::string& output, std::int64_t steps) const {
    run::RunConfig config;
    config.model = GetParam();
    config.depth = 2;
    config.width = 0.5;
    config.train_size = 640;
    config.test_size = 64;
    config.steps = steps;
    config.optimizer = "adam";
    config.learning_rate = 0.003;
    config.threads = 1;
    config.tune = "off";
    config.output = temporary_.file(output);
    return {.config = config, .origins = {}};
  }

  static run::TrainResult train(const run::ResolvedConfig& config, std::int64_t stop_after = 0) {
    base::StopToken stop;
    const auto watch = [&](const train::StepReport& step) {
      if (step.step == stop_after) stop.request_stop(2);
    };
    return run::train(config, {.on_step = watch}, stop);
  }

  io::TemporaryDirectory temporary_;
};

// The part of a graph that computes one of its values, which becomes its output, and its loss if it is a
// scalar.
graph::Graph part_of(const graph::Graph& whole, std::string_view output) {
  std::vector<bool> needed(whole.values().size(), false);
  for (std::size_t v = 0; v < needed.size(); ++v) needed[v] = whole.values()[v].name == output;
  for (auto layer = whole.layers().rbegin(); layer != whole.layers().rend(); ++layer)
    if (needed[static_cast<std::size_t>(layer->outputs[0])])
      for (const graph::ValueId input : layer->inputs) needed[static_cast<std::size_t>(input)] = true;
  graph::GraphBuilder builder(whole.name(), whole.input_shape());
  std::map<graph::ValueId, graph::ValueId> ids = {{whole.input(), builder.input()}};
  graph::ValueId last = builder.input();
  for (const graph::Layer& layer : whole.layers()) {
    if (!needed[static_cast<std::size_t>(layer.outputs[0])]) continue;
    std::vector<graph::ValueId> inputs;
    for (const graph::ValueId input : layer.inputs) inputs.push_back(ids.at(input));
    last = ids[layer.outputs[0]] = builder.add(*layer.kind, layer.name, layer.attributes, inputs);
  }
  builder.set_output(last);
  if (builder.shape(last).rank() == 0) builder.set_loss(last);
  return std::move(builder).build().value();
}

onnx::Weights weights_of(const std::string& checkpoint) {
  const io::SafetensorsReader file(io::join_path(checkpoint, "weights.safetensors"));
  onnx::Weights weights;
  for (const io::StoredTensor& stored : file.tensors())
    weights[stored.name] = std::make_shared<tensor::Tensor>(file.read(stored));
  return weights;
}

// What the test digits give for one scalar of the model.
double on_test_digits(const run::RunConfig& config, std::string_view scalar, const onnx::Weights& weights) {
  const graph::Graph graph = part_of(run::build_configured_model(config), scalar);
  const auto plan = plan::resolve(graph, {}, {.batch = config.batch}, {}, kernels::catalog());
  const auto objective = exec::make_graph_objective(graph, plan.value().plan, {}, kernels::catalog());
  const auto store =
      train::make_local_store({.layout = objective->layout(), .codec = run::make_segment_codec()});
  run::load_weights(weights, *store);
  const auto batches =
      data::make_evaluation_source(run::open_split(config, data::Split::test), run::loader_config(config));
  return train::evaluate(*objective, store->source(), *batches).loss;
}

TEST_P(SparseAutoencoder, LearnsToPutDigitsTogetherAgain) {
  const run::ResolvedConfig config = small("run", 60);
  const run::TrainResult result = train(config);
  ASSERT_TRUE(result.tested);
  EXPECT_TRUE(result.confusion.empty());
  const onnx::Weights learnt = weights_of(result.checkpoint);
  const onnx::Weights first =
      run::initial_weights(run::build_configured_model(config.config), config.config.seed);
  // Of what a level sees the mean square is about 1: pixels are normalised, and so is what the first level
  // gives.
  for (const char* error : {"error1", "error2"}) {
    EXPECT_GT(on_test_digits(config.config, error, first), 0.5) << error;
    EXPECT_LT(on_test_digits(config.config, error, learnt), 0.25) << error;
  }
  // The loss is what the model says: errors, and penalties over the elements seen.
  double loss = 0;
  for (const char* term : {"error1", "sparsity1_weighted", "error2", "sparsity2_weighted"})
    loss += on_test_digits(config.config, term, learnt);
  EXPECT_NEAR(result.test_loss, loss, 1e-5 * loss);
}

TEST_P(SparseAutoencoder, GoesOnWithTheSameBits) {
  const run::TrainResult whole = train(small("whole", 20));
  run::ResolvedConfig config = small("parts", 20);
  train(config, 13);
  config.config.resume = "auto";
  const run::TrainResult parts = train(config);
  for (const char* file : {"weights.safetensors", "optimizer.safetensors"})
    EXPECT_EQ(io::read_file(io::join_path(parts.checkpoint, file)),
              io::read_file(io::join_path(whole.checkpoint, file)))
        << file;
  const auto model = run::open_model({.path = whole.checkpoint, .threads = 1});
  EXPECT_EQ(model->evaluate(config.config, true).loss, whole.test_loss);
  EXPECT_EQ(model->evaluate(config.config, true).classes, 0);
}

// The whole model's loss in float64 against differences: errors of all levels, penalties, targets that are
// learned.
TEST_P(SparseAutoencoder, HasTheGradientOfItsLoss) {
  const auto graph = models::build_model(GetParam(), {.input_shape = {2, 9, 8}, .width = 0.25, .depth = 2});
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  const auto type = tensor::DType::f64;
  const auto plan = plan::resolve(*graph, {}, {.batch = 3, .type = type}, {}, kernels::catalog());
  const auto objective =
      exec::make_graph_objective(*graph, plan.value().plan, {.type = type}, kernels::catalog());
  tensor::Tensor parameters(type, {objective->layout().parameter_extent}), inputs(type, {3, 2, 9, 8});
  parameters.fill_zero();
  base::RandomStream random(5, base::Purpose::test, 0, 0);
  for (tensor::Tensor* array : {&parameters, &inputs})
    for (double& value : array->as<double>()) value = 0.5 * random.normal();
  const tensor::Batch batch = {.inputs = std::as_const(inputs).view(), .size = 3, .global_size = 3};
  const optim::GradientCheck check =
      optim::check_gradient(*objective, batch, {}, {.parameters = parameters.view(), .state = {}});
  EXPECT_TRUE(check.ok()) << check.worst;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  return info.param == "sparse-autoencoder" ? "Untied"
         : info.param.ends_with("tied")     ? "Tied"
                                            : "Convolutional";
}

INSTANTIATE_TEST_SUITE_P(Variants, SparseAutoencoder,
                         testing::Values("sparse-autoencoder", "sparse-autoencoder-conv",
                                         "sparse-autoencoder-tied"),
                         test_name);

}  // namespace
}  // namespace convoy
