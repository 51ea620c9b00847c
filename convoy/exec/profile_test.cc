#include "convoy/exec/profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "convoy/kernels/cost.h"
#include "convoy/layers/net.h"
#include "convoy/optim/arena_sinks.h"
#include "convoy/plan/resolve.h"

namespace convoy::exec {
namespace {

using optim::Mode;
using tensor::DType;
using tensor::Tensor;

constexpr std::int64_t kBatch = 4;

// A value with two readers, so that gradients are summed, and a Relu to fuse.
graph::Graph forked_net() {
  layers::Net net("forked", {16, 6, 6});
  net.conv("conv", {.output_channels = 16, .kernel = 3, .pad = 1}).relu();
  const graph::ValueId fork = net.value();
  net.conv("branch", {.output_channels = 16, .kernel = 1});
  net.add(fork, "join");
  net.flatten().gemm("fc", 4).softmax_cross_entropy();
  return std::move(net).build().value();
}

struct ProfileFixture : testing::Test {
  ProfileFixture() {
    const plan::StepConfig step = {.batch = kBatch};
    const auto resolution = plan::resolve(graph, {}, step, {}, kernels::catalog());
    objective = make_graph_objective(graph, resolution->plan, {}, kernels::catalog());
    const tensor::ParamLayout& layout = objective->layout();
    for (Tensor* arena : {&parameters, &gradients}) {
      *arena = Tensor(DType::f32, {layout.parameter_extent});
      arena->fill_zero();
    }
    inputs = Tensor(DType::f32, {kBatch, 16, 6, 6});
    inputs.fill_zero();
    source =
        optim::make_arena_source({layout, std::as_const(parameters).view(), tensor::ConstView(), nullptr});
    sink = optim::make_arena_gradient_sink(layout, gradients.view());
  }

  void evaluate(Mode mode, std::int64_t size = kBatch) {
    tensor::Batch batch{
        .labels = std::span(labels).first(static_cast<std::size_t>(size)), .size = size, .global_size = size};
    batch.inputs = {std::as_const(inputs).as<float>().data(), DType::f32, {size, 16, 6, 6}};
    objective->evaluate(*source, batch, {}, {.gradients = mode == Mode::gradient ? sink.get() : nullptr},
                        mode);
  }

  const plan::Program& program() { return objective->program(plan::StepConfig::Mode::gradient, kBatch); }

  graph::Graph graph = forked_net();
  std::unique_ptr<GraphObjective> objective;
  Tensor parameters, gradients, inputs;
  std::vector<std::int32_t> labels = {0, 1, 2, 3};
  std::unique_ptr<optim::ParamSource> source;
  std::unique_ptr<optim::GradientSink> sink;
  std::vector<ClockedRun> runs;
};

const ProfileRow* find(const RunProfile& profile, const std::string& layer, const std::string& direction) {
  for (const ProfileRow& row : profile.rows)
    if (row.layer == layer && row.direction == direction) return &row;
  return nullptr;
}

TEST_F(ProfileFixture, OnlyGradientEvaluationsAreClockedAndOnlyWhileAsked) {
  evaluate(Mode::gradient);
  objective->clock_runs(&runs);
  evaluate(Mode::gradient);
  evaluate(Mode::loss);
  evaluate(Mode::gradient, 3);
  objective->clock_runs(nullptr);
  evaluate(Mode::gradient);
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].program, &program());
  EXPECT_EQ(runs[1].program->config.batch, 3);
  for (const ClockedRun& run : runs) {
    EXPECT_EQ(run.readings.size(), run.program->steps.size() + 1);
    EXPECT_TRUE(std::is_sorted(run.readings.begin(), run.readings.end()));
  }
  EXPECT_LE(runs[0].readings.back(), runs[1].readings.front());
}

TEST_F(ProfileFixture, PartsAddUpToTheRuns) {
  objective->clock_runs(&runs);
  for (const std::int64_t size : {kBatch, kBatch, std::int64_t{3}}) evaluate(Mode::gradient, size);
  const RunProfile sums = profile(runs);
  double whole = 0, parts = sums.convert_seconds + sums.update_seconds + sums.interpreter_seconds;
  for (const ClockedRun& run : runs) whole += run.readings.back() - run.readings.front();
  for (const ProfileRow& row : sums.rows) {
    parts += row.seconds;
    EXPECT_GT(row.seconds, 0) << row.layer << " " << row.direction;
    EXPECT_GT(row.bytes, 0) << row.layer << " " << row.direction;
  }
  EXPECT_DOUBLE_EQ(sums.seconds, whole);
  EXPECT_NEAR(parts, whole, 1e-9 * static_cast<double>(runs.size()));
}

TEST_F(ProfileFixture, RowsAreLayersByDirection) {
  objective->clock_runs(&runs);
  evaluate(Mode::gradient);
  const RunProfile once = profile(runs);
  std::set<std::pair<std::string, std::string>> keys;
  for (const ProfileRow& row : once.rows) EXPECT_TRUE(keys.emplace(row.layer, row.direction).second);
  for (const char* direction : {"forward", "backward_data", "backward_weights"}) {
    const ProfileRow* row = find(once, "branch", direction);
    ASSERT_NE(row, nullptr) << direction;
    const double products = 2.0 * kBatch * 36 * 16 * 16, bias = kBatch * 36 * 16;
    EXPECT_EQ(row->flops, row->direction == "backward_data" ? products : products + bias) << direction;
    EXPECT_FALSE(row->kernel.empty());
  }
  // Nothing reads the gradient of the batch.
  EXPECT_EQ(find(once, "conv", "backward_data"), nullptr);
  evaluate(Mode::gradient);
  const RunProfile twice = profile(runs);
  ASSERT_EQ(twice.rows.size(), once.rows.size());
  for (std::size_t i = 0; i < once.rows.size(); ++i) EXPECT_EQ(twice.rows[i].flops, 2 * once.rows[i].flops);
}

TEST_F(ProfileFixture, NamesWhatOneKernelDoesBesideItsLayer) {
  objective->clock_runs(&runs);
  evaluate(Mode::gradient);
  const RunProfile sums = profile(runs);
  bool fused = false;
  for (const plan::KernelCall& call : program().kernels)
    fused = fused || call.problem.epilogue == kernels::Epilogue::relu;
  ASSERT_TRUE(fused) << "the plan fuses no Relu: choose another net for this test";
  EXPECT_NE(find(sums, "conv", "forward + relu"), nullptr);
  EXPECT_EQ(find(sums, "conv", "forward"), nullptr);
  EXPECT_NE(find(sums, "fc", "backward_weights + update"), nullptr);
  const auto sum = std::find_if(sums.rows.begin(), sums.rows.end(),
                                [](const ProfileRow& row) { return row.direction == "gradient sum"; });
  ASSERT_NE(sum, sums.rows.end());
  EXPECT_EQ(sum->bytes, 3.0 * kBatch * 16 * 36 * 4);
}

TEST_F(ProfileFixture, SpansFollowEachOtherWithinTheRun) {
  objective->clock_runs(&runs);
  evaluate(Mode::gradient);
  std::vector<base::TraceEvent> events;
  append_spans(runs[0], 5, events);
  double covered = 0, last = runs[0].readings.front();
  for (const base::TraceEvent& event : events) {
    EXPECT_EQ(event.track, 5);
    EXPECT_GE(event.begin, last) << event.name;
    last = event.end;
    covered += event.seconds();
    EXPECT_FALSE(event.name.empty() || event.category.empty());
    EXPECT_EQ(event.category == "interpreter", event.details.empty()) << event.name;
  }
  EXPECT_LE(last, runs[0].readings.back());
  const auto steps = static_cast<double>(program().steps.size());
  EXPECT_NEAR(covered, runs[0].readings.back() - runs[0].readings.front(), 1e-6 * steps);
}

}  // namespace
}  // namespace convoy::exec
