// Every model of the catalog, small, through the whole house: planned, lowered, proved, run and updated; and
// what auxiliary heads must keep: the gradient of the weighted sum, prediction without them, checkpoints,
// resumption.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "convoy/base/clock.h"
#include "convoy/base/stop.h"
#include "convoy/benchkit/step_bench.h"
#include "convoy/data/loader.h"
#include "convoy/exec/graph_objective.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/kernels/bf16.h"
#include "convoy/layers/net.h"
#include "convoy/models/catalog.h"
#include "convoy/optim/arena_sinks.h"
#include "convoy/optim/gradient_check.h"
#include "convoy/optim/update_rule.h"
#include "convoy/plan/resolve.h"
#include "convoy/run/assemble.h"
#include "convoy/run/feed.h"
#include "convoy/run/initialise.h"
#include "convoy/run/model_file.h"
#include "convoy/run/segment_codec.h"
#include "convoy/run/training.h"
#include "convoy/train/strategy.h"
#include "tests/support/bf16_timings.h"

namespace convoy {
namespace {

// The smallest image that the model takes, or a little more, and about a sixteenth of its channels.
run::RunConfig small(const models::ModelKind& kind) {
  const std::string name(kind.name);
  const bool is_photo = kind.default_input[1] == 224;
  run::RunConfig config;
  config.model = name;
  config.data.clear();
  config.batch = 4;
  config.threads = 1;
  config.tune = "off";
  config.layout = "plain";  // one family to plan
  // Gentle where dropout at a sixteenth of the width, distances to codes, or all places' gradients in one
  // filter make the loss jump.
  const bool is_gentle = name == "lenet5-paper" || name == "sparse-autoencoder-conv" ||
                         name.starts_with("alexnet") || name.starts_with("googlenet");
  config.learning_rate = is_gentle ? 0.001 : 0.01;
  config.width = name == "lenet5-paper" ? 1 : is_photo ? 0.0625 : 0.25;
  if (is_photo) config.input = name.starts_with("resnet") || name.starts_with("vgg") ? "3x32x32" : "3x79x79";
  config.classes = name == "lenet5-paper" ? 10 : kind.default_classes == 0 ? 0 : 3;
  return config;
}

class ModelTraining : public ::testing::TestWithParam<const models::ModelKind*> {};

TEST_P(ModelTraining, LowersTheLossOfOneBatch) {
  const auto bench = benchkit::make_step_bench({.run = small(*GetParam()), .threads = 1});
  const double before = bench->measure(0).last_loss;
  double after = 0;  // mean of the last eight
  for (int window = 0; window < 40; ++window) {
    const double loss = bench->measure(0).last_loss;
    if (window >= 32) after += loss / 8;
  }
  EXPECT_TRUE(std::isfinite(after)) << after;
  EXPECT_LT(after, before);
}

std::vector<const models::ModelKind*> kinds() {
  std::vector<const models::ModelKind*> all;
  for (const models::ModelKind& kind : models::catalog()) all.push_back(&kind);
  return all;
}

std::string test_name(const ::testing::TestParamInfo<const models::ModelKind*>& info) {
  std::string name(info.param->name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Catalog, ModelTraining, ::testing::ValuesIn(kinds()), test_name);

// ---- bf16

run::RunConfig digits_config(std::uint64_t seed) {
  run::RunConfig config;
  config.seed = seed;
  config.batch = 64;
  config.train_size = 12800;
  config.loader_workers = 0;
  return config;
}

// Losses of LeNet-5's steps in an epoch of the embedded digits; planned in bf16 wherever there is a kernel
// for it, or in float32.
std::vector<double> digit_losses(std::uint64_t seed, bool bf16) {
  const run::RunConfig config = digits_config(seed);
  const graph::Graph graph = run::build_configured_model(config);
  const testing::Bf16Timings timings;
  const plan::Plan plan = plan::resolve(graph, {}, {.batch = config.batch, .bf16 = bf16},
                                        {machine::Machine(), bf16 ? &timings : nullptr}, kernels::catalog())
                              .value()
                              .plan;
  EXPECT_EQ(plan.uses_bf16(), bf16);
  const auto objective = exec::make_graph_objective(graph, plan, {.bf16 = bf16}, kernels::catalog());
  const auto store =
      train::make_local_store({.layout = objective->layout(), .codec = run::make_segment_codec()});
  run::initialise_store(graph, seed, *store);
  const auto rule = optim::make_update_rule("sgd", run::update_config(config)).value();
  const auto batches =
      data::make_loader(run::open_split(config, data::Split::train), run::loader_config(config));
  const auto transports = comm::make_inproc_group(1);
  const auto clock = base::make_steady_clock();
  base::StopToken stop;
  std::vector<double> losses;
  const auto on_step = [&](const train::StepReport& step) { losses.push_back(step.loss); };
  train::Collaborators with{.objective = *objective,
                            .store = *store,
                            .rule = *rule,
                            .batches = *batches,
                            .clock = *clock,
                            .transport = *transports[0],
                            .stop = stop,
                            .observer = {.on_step = on_step}};
  const auto sync = std::find_if(train::strategy_catalog().begin(), train::strategy_catalog().end(),
                                 [](const train::StrategyKind& kind) { return kind.name == "sync"; });
  const train::StrategyConfig strategy{
      .total_steps = batches->steps_per_epoch(), .seed = seed, .schedule = {.base_rate = 0.05}};
  sync->make()->run(strategy, with);
  return losses;
}

// Mean over a stretch of steps.
double mean(const std::vector<double>& losses, std::size_t begin, std::size_t end) {
  double sum = 0;
  for (std::size_t i = begin; i < end; ++i) sum += losses[i];
  return sum / static_cast<double>(end - begin);
}

// In every stretch of 50 steps the curve in bf16 is nearer to that in float32 than another seed's is.
TEST(Bf16, LeNet5LearnsTheDigitsAsInFloat32) {
  const auto bf16 = digit_losses(1, true), same_seed = digit_losses(1, false);
  std::vector<std::vector<double>> others;
  for (const std::uint64_t seed : {2, 3}) others.push_back(digit_losses(seed, false));
  ASSERT_EQ(bf16.size(), 200U);
  for (std::size_t begin = 0; begin < bf16.size(); begin += 50) {
    double noise = 0;
    for (const auto& other : others)
      noise = std::max(noise, std::abs(mean(other, begin, begin + 50) - mean(same_seed, begin, begin + 50)));
    EXPECT_LE(std::abs(mean(bf16, begin, begin + 50) - mean(same_seed, begin, begin + 50)), noise) << begin;
  }
  EXPECT_LT(mean(bf16, 150, 200), 0.5 * mean(bf16, 0, 50));
  EXPECT_NE(bf16, same_seed);
}

// ---- Auxiliary heads

// A trunk, a head beside it whose loss counts `weight` times, and the head that predicts.
graph::Graph two_headed(double weight, const tensor::Shape& input = {1, 28, 28}) {
  layers::Net net("two-headed", input);
  net.conv("trunk", {.output_channels = 4, .kernel = 5, .stride = 2}).tanh();
  const graph::ValueId trunk = net.value();
  net.average_pool().flatten("side_flatten").gemm("side_scores", 10);
  net.auxiliary_softmax_cross_entropy(weight, "side_loss").from(trunk);
  net.flatten("main_flatten").gemm("scores", 10).softmax_cross_entropy();
  return std::move(net).build().value();
}

// An objective over float64 arrays with random contents.
struct Evaluator {
  explicit Evaluator(const graph::Graph& graph) {
    const auto type = tensor::DType::f64;
    const auto resolution = plan::resolve(graph, {}, {.batch = 3, .type = type}, {}, kernels::catalog());
    objective =
        exec::make_graph_objective(graph, resolution.value().plan, {.type = type}, kernels::catalog());
    parameters = tensor::Tensor(type, {objective->layout().parameter_extent});
    inputs = tensor::Tensor(type, {3, 1, 9, 9});
    parameters.fill_zero();
    base::RandomStream random(5, base::Purpose::test, 0, 0);
    for (tensor::Tensor* array : {&parameters, &inputs})
      for (double& value : array->as<double>()) value = 0.5 * random.normal();
    batch = {.inputs = std::as_const(inputs).view(), .labels = labels, .size = 3, .global_size = 3};
  }

  double loss() {
    const auto source = optim::make_arena_source(
        {objective->layout(), std::as_const(parameters).view(), tensor::ConstView(), nullptr});
    return objective->evaluate(*source, batch, {}, {}, optim::Mode::loss).loss;
  }

  std::unique_ptr<exec::GraphObjective> objective;
  tensor::Tensor parameters, inputs;
  std::vector<std::int32_t> labels = {1, 0, 7};
  tensor::Batch batch;
};

TEST(AuxiliaryHead, AddsItsWeightedLossAndItsGradient) {
  Evaluator none(two_headed(0, {1, 9, 9})), some(two_headed(0.3, {1, 9, 9})), whole(two_headed(1, {1, 9, 9}));
  EXPECT_GT(whole.loss(), none.loss());
  EXPECT_NEAR(some.loss(), none.loss() + 0.3 * (whole.loss() - none.loss()), 1e-13);
  const optim::GradientCheck check = optim::check_gradient(
      *some.objective, some.batch, {}, {.parameters = some.parameters.view(), .state = {}});
  EXPECT_TRUE(check.ok()) << check.worst;
}

TEST(AuxiliaryHead, IsNotComputedInPrediction) {
  Evaluator evaluator(two_headed(0.3, {1, 9, 9}));
  const auto computes = [&](plan::StepConfig::Mode mode, std::string_view layer) {
    for (const plan::Step& step : evaluator.objective->program(mode, 3).steps)
      if (step.kind == plan::StepKind::compute && step.label.starts_with(layer)) return true;
    return false;
  };
  EXPECT_TRUE(computes(plan::StepConfig::Mode::gradient, "side_scores"));
  EXPECT_TRUE(computes(plan::StepConfig::Mode::predict, "scores"));
  EXPECT_FALSE(computes(plan::StepConfig::Mode::predict, "side_"));
}

run::ResolvedConfig digits_run(const std::string& output, std::int64_t steps) {
  run::RunConfig config;
  config.train_size = 640;
  config.test_size = 200;
  config.steps = steps;
  config.threads = 1;
  config.tune = "off";
  config.output = output;
  return {.config = config, .origins = {}};
}

run::TrainResult train_two_headed(const run::ResolvedConfig& config, std::int64_t stop_after = 0) {
  base::StopToken stop;
  const auto watch = [&](const train::StepReport& step) {
    if (step.step == stop_after) stop.request_stop(2);
  };
  return run::train(two_headed(0.3), config, {.on_step = watch}, stop);
}

TEST(AuxiliaryHead, IsTrainedKeptAndResumedWithTheSameBits) {
  const io::TemporaryDirectory temporary;
  const run::TrainResult whole = train_two_headed(digits_run(temporary.file("whole"), 30));
  EXPECT_GT(whole.test_accuracy, 0.4);  // ten classes; guessing gives 0.1
  run::ResolvedConfig config = digits_run(temporary.file("parts"), 30);
  train_two_headed(config, 13);
  config.config.resume = "auto";
  const run::TrainResult parts = train_two_headed(config);
  const auto weights = [](const run::TrainResult& result) {
    return io::read_file(io::join_path(result.checkpoint, "weights.safetensors"));
  };
  EXPECT_EQ(weights(parts), weights(whole));
  const auto model = run::open_model({.path = whole.checkpoint, .threads = 1});
  EXPECT_EQ(model->evaluate(config.config, true).loss, whole.test_loss);
}

// By the plans that a run makes by itself; in the middle the run stops and goes on from its checkpoint.
TEST(Bf16, IsKeptAndResumedWithTheSameBits) {
  if (!kernels::check_bf16_products()) GTEST_SKIP() << "it is refused: cli_bad_input_test";
  const io::TemporaryDirectory temporary;
  const auto train = [&](const std::string& output, const std::string& precision,
                         std::int64_t stop_after = 0) {
    run::ResolvedConfig config = digits_run(temporary.file(output), 30);
    config.config.precision = precision;
    config.config.resume = "auto";
    return train_two_headed(config, stop_after);
  };
  const auto weights = [](const run::TrainResult& result) {
    return io::read_file(io::join_path(result.checkpoint, "weights.safetensors"));
  };
  const run::TrainResult whole = train("whole", "bf16");
  train("parts", "bf16", 13);
  EXPECT_EQ(weights(train("parts", "bf16")), weights(whole));
  // The model as stored is tested in the precision that it was trained in.
  const auto model = run::open_model({.path = whole.checkpoint, .threads = 1});
  EXPECT_EQ(model->evaluate(digits_run("", 30).config, true).loss, whole.test_loss);
  // Going on in float32 is allowed, and another run.
  train("changed", "bf16", 13);
  const run::TrainResult changed = train("changed", "float32");
  EXPECT_TRUE(std::isfinite(changed.test_loss));
}

}  // namespace
}  // namespace convoy
