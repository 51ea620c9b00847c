#include "convoy/exec/graph_objective.h"

#include <gtest/gtest.h>

#include <cmath>

#include "convoy/base/error.h"
#include "convoy/layers/net.h"
#include "convoy/optim/arena_sinks.h"
#include "convoy/optim/gradient_check.h"
#include "convoy/plan/resolve.h"

namespace convoy::exec {
namespace {

using optim::Mode;
using tensor::DType;
using tensor::Tensor;

graph::Graph small_net() {
  layers::Net net("small", {1, 6, 6});
  net.conv("conv", {.output_channels = 3, .kernel = 3}).tanh().average_pool();
  net.flatten().gemm("fc", 4).softmax_cross_entropy();
  return std::move(net).build().value();
}

// Sinks that count what they are told.
class CountingSink final : public optim::GradientSink {
 public:
  explicit CountingSink(optim::GradientSink& sink, std::size_t segments) : ready_(segments, 0), sink_(sink) {}
  tensor::View buffer(int segment) override { return sink_.buffer(segment); }
  void ready(int segment, base::IndexRange range, bool final) override {
    EXPECT_TRUE(final);
    EXPECT_EQ(range.begin, 0);
    ready_[static_cast<std::size_t>(segment)] += 1;
  }
  void poll() override { ++polls_; }
  const std::vector<int>& announced() const { return ready_; }
  int polls() const { return polls_; }

 private:
  std::vector<int> ready_;
  int polls_ = 0;
  optim::GradientSink& sink_;
};

struct Fixture : testing::Test {
  void make(DType type, bool profile = false) {
    const auto resolution = plan::resolve(graph, {}, {.batch = 4, .type = type}, {}, kernels::catalog());
    ASSERT_TRUE(resolution.ok()) << resolution.reason().text;
    objective =
        make_graph_objective(graph, resolution->plan, {.type = type, .profile = profile}, kernels::catalog());
    const tensor::ParamLayout& layout = objective->layout();
    for (Tensor* arena : {&parameters, &gradients}) *arena = Tensor(type, {layout.parameter_extent});
    state = Tensor(type, {layout.state_extent});
    inputs = Tensor(type, {4, 1, 6, 6});
    base::RandomStream random(3, base::Purpose::test, 0, 0);
    parameters.fill_zero();
    for (Tensor* t : {&parameters, &inputs})
      for (std::int64_t i = 0; i < t->shape().count(); ++i) set(*t, i, 0.5 * random.normal());
    source = optim::make_arena_source(
        {layout, std::as_const(parameters).view(), std::as_const(state).view(), nullptr});
    sink = optim::make_arena_gradient_sink(layout, gradients.view());
    batch = {.inputs = std::as_const(inputs).view(), .labels = labels, .size = 4, .global_size = 4};
  }
  static void set(Tensor& t, std::int64_t i, double value) {
    const auto k = static_cast<std::size_t>(i);
    if (t.type() == DType::f64)
      t.as<double>()[k] = value;
    else
      t.as<float>()[k] = static_cast<float>(value);
  }

  graph::Graph graph = small_net();
  std::unique_ptr<GraphObjective> objective;
  Tensor parameters, gradients, state, inputs;
  std::vector<std::int32_t> labels = {0, 1, 2, 3};
  std::unique_ptr<optim::ParamSource> source;
  std::unique_ptr<optim::GradientSink> sink;
  tensor::Batch batch;
};

TEST_F(Fixture, LossModeAndGradientModeAgreeWithoutRandomLayers) {
  make(DType::f64);
  const auto trained = objective->evaluate(*source, batch, {}, {.gradients = sink.get()}, Mode::gradient);
  const auto tested = objective->evaluate(*source, batch, {}, {}, Mode::loss);
  EXPECT_EQ(trained.loss, tested.loss);
  EXPECT_EQ(trained.correct, tested.correct);
  EXPECT_EQ(trained.samples, 4);
}

// A rank's loss is its share of the global mean: two halves add up to the whole.
TEST_F(Fixture, LocalLossesAddUpOverRanks) {
  make(DType::f64);
  const double whole = objective->evaluate(*source, batch, {}, {}, Mode::loss).loss;
  double sum = 0;
  for (const int half : {0, 1}) {
    tensor::Batch part{.labels = std::span(labels).subspan(static_cast<std::size_t>(half) * 2, 2),
                       .size = 2,
                       .global_size = 4};
    part.inputs = {std::as_const(inputs).as<double>().data() + half * 72, DType::f64, {2, 1, 6, 6}};
    sum += objective->evaluate(*source, part, {}, {}, Mode::loss).loss;
  }
  EXPECT_NEAR(sum, whole, 1e-15);
}

TEST_F(Fixture, EachParameterIsAnnouncedOnceAndTheSinkIsPolled) {
  make(DType::f32);
  CountingSink counting(*sink, objective->layout().segments.size());
  objective->evaluate(*source, batch, {}, {.gradients = &counting}, Mode::gradient);
  EXPECT_EQ(counting.announced(), (std::vector<int>{1, 1, 1, 1}));
  EXPECT_GT(counting.polls(), 5);
}

TEST_F(Fixture, PredictionsAreTheScoresOfTheLossMode) {
  make(DType::f32);
  std::vector<float> predicted(16), scored(16);
  tensor::Batch unlabelled = batch;
  unlabelled.labels = {};
  objective->evaluate(*source, unlabelled, {}, {.outputs = predicted}, Mode::predict);
  objective->evaluate(*source, batch, {}, {.outputs = scored}, Mode::loss);
  EXPECT_EQ(predicted, scored);
}

TEST_F(Fixture, ProgramsAreKeptPerModeAndBatch) {
  make(DType::f32, /*profile=*/true);
  const plan::Program& four = objective->program(plan::StepConfig::Mode::gradient, 4);
  EXPECT_EQ(&four, &objective->program(plan::StepConfig::Mode::gradient, 4));
  EXPECT_NE(&four, &objective->program(plan::StepConfig::Mode::gradient, 3));
  EXPECT_NE(&four, &objective->program(plan::StepConfig::Mode::loss, 4));
}

TEST_F(Fixture, ClocksStepsOnlyWhenAsked) {
  make(DType::f32, /*profile=*/true);
  for (int k = 0; k < 3; ++k)
    objective->evaluate(*source, batch, {}, {.gradients = sink.get()}, Mode::gradient);
  const StepTimes& times = objective->times(plan::StepConfig::Mode::gradient, 4);
  EXPECT_EQ(times.runs, 3);
  double sum = 0;
  for (const double seconds : times.seconds) sum += seconds;
  EXPECT_GT(sum, 0);
  EXPECT_LE(sum, times.total);
}

TEST_F(Fixture, APlanOfAnotherModelIsTheUsersMistake) {
  make(DType::f32);
  layers::Net net("other", {1, 6, 6});
  net.flatten().gemm("fc", 4).softmax_cross_entropy();
  const graph::Graph other = std::move(net).build().value();
  const auto plan = plan::resolve(other, {}, {.batch = 4}, {}, kernels::catalog()).value().plan;
  const auto wrong = make_graph_objective(graph, plan, {}, kernels::catalog());
  EXPECT_THROW(wrong->program(plan::StepConfig::Mode::loss, 1), base::UsageError);
}

}  // namespace
}  // namespace convoy::exec
