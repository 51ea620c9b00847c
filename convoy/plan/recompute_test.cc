#include "convoy/plan/recompute.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "convoy/layers/net.h"
#include "convoy/plan/lower.h"
#include "convoy/plan/memory.h"
#include "convoy/plan/memory_budget.h"
#include "convoy/plan/resolve.h"
#include "convoy/plan/verify.h"
#include "tests/support/hand_program.h"

namespace convoy::plan {
namespace {

const StepConfig kGradient = {.mode = StepConfig::Mode::gradient, .batch = 4};

// Equal layers, one behind the other: what is kept grows with their number.
graph::Graph chain(int blocks) {
  layers::Net net("chain", {4, 16, 16});
  for (int i = 0; i < blocks; ++i)
    net.conv("conv" + std::to_string(i), {.output_channels = 4, .kernel = 3, .pad = 1})
        .batch_norm({}, "norm" + std::to_string(i))
        .relu("relu" + std::to_string(i));
  net.flatten().dropout(0.5).gemm("fc", 3).softmax_cross_entropy();
  return std::move(net).build().value();
}

base::Result<Resolution> try_to_resolve(const graph::Graph& graph, const PlanRequest& request) {
  return resolve(graph, request, kGradient, {}, kernels::catalog());
}

Program lowered(const graph::Graph& graph, const Plan& plan, const StepConfig& config = kGradient) {
  return lower(graph, plan, config, kernels::catalog()).value();
}

std::int64_t memory_of(const graph::Graph& graph, const Plan& plan) {
  return training_memory(lowered(graph, plan), 1).total();
}

Plan with_all_recomputed(Plan plan) {
  for (LayerPlan& layer : plan.layers) layer.recomputed = true;
  return plan;
}

TEST(Recompute, StepsStandAgainOnceAndTheProgramIsProved) {
  const graph::Graph graph = chain(5);
  const Plan plan = try_to_resolve(graph, {}).value().plan;
  const Program kept = lowered(graph, plan), again = lowered(graph, with_all_recomputed(plan));
  const base::Verdict verdict = verify(again);
  EXPECT_TRUE(verdict.ok()) << verdict.reason().text;
  EXPECT_GT(again.steps.size(), kept.steps.size());
  std::map<std::pair<int, bool>, int> runs;  // by kernel and whether it is repeated
  for (const Step& step : again.steps) {
    if (step.kind == StepKind::compute) {
      EXPECT_EQ(++runs[std::pair(step.kernel, step.recomputed)], 1);
    }
  }
  const int repeated = static_cast<int>(std::count_if(again.steps.begin(), again.steps.end(), [](auto& step) {
    return step.recomputed && step.kind == StepKind::compute;
  }));
  EXPECT_GE(repeated, 10);  // five convolutions, five normalisations
}

TEST(Recompute, ChangesNothingWhereNothingIsDropped) {
  const graph::Graph graph = chain(2);
  const Plan plan = try_to_resolve(graph, {}).value().plan;
  Program program = lowered(graph, plan);
  EXPECT_TRUE(recompute(program, std::vector<bool>(graph.layers().size(), false)).empty());
  EXPECT_EQ(program.steps.size(), lowered(graph, plan).steps.size());
  for (const auto mode : {StepConfig::Mode::loss, StepConfig::Mode::predict}) {
    const StepConfig config{.mode = mode, .batch = 4};
    EXPECT_EQ(lowered(graph, with_all_recomputed(plan), config).steps.size(),
              lowered(graph, plan, config).steps.size());
  }
}

// The next running statistics leave once; those of the repeated pass stay within.
TEST(Recompute, StateIsWrittenOnce) {
  const graph::Graph graph = chain(2);
  const Program program = lowered(graph, with_all_recomputed(try_to_resolve(graph, {}).value().plan));
  std::map<int, int> writes;
  for (const Step& step : program.steps)
    for (const int slot : step.writes())
      if (program.slots[static_cast<std::size_t>(slot)].region == Region::next_state) ++writes[slot];
  EXPECT_EQ(writes.size(), 4U);
  for (const auto& [slot, count] : writes) EXPECT_EQ(count, 1) << slot;
}

TEST(Recompute, ByHandTheReluStandsBeforeItsReader) {
  Program program = testing::two_layer_program();
  for (Step& step : program.steps)
    if (step.label == "relu forward") step.layer = 1;
  for (Step& step : program.steps)
    if (step.kind == StepKind::compute && step.label != "relu forward") step.layer = 0;
  EXPECT_EQ(recompute(program, {false, true}), (std::vector<int>{3}));
  plan_memory(program, true);
  const base::Verdict verdict = verify(program);
  EXPECT_TRUE(verdict.ok()) << verdict.reason().text;
  const int again = testing::step_named(program, "relu forward again");
  EXPECT_EQ(program.steps[static_cast<std::size_t>(again) + 1].label, "fc2 backward_weights");
  EXPECT_EQ(testing::step_named(program, "relu backward"), 15);
}

// A program that skips the repetition reads what is gone.
TEST(RecomputeSabotage, DroppedRepetitionIsRefused) {
  const graph::Graph graph = chain(3);
  Program program = lowered(graph, with_all_recomputed(try_to_resolve(graph, {}).value().plan));
  const auto found = std::find_if(program.steps.begin(), program.steps.end(),
                                  [](const Step& step) { return step.recomputed; });
  ASSERT_NE(found, program.steps.end());
  program.steps.erase(found);
  EXPECT_FALSE(verify(program).ok());
}

TEST(Recompute, PlanTextReadsBack) {
  const Plan plan = with_all_recomputed(try_to_resolve(chain(2), {}).value().plan);
  EXPECT_NE(plan.str().find("layer conv0 recomputed forward="), std::string::npos) << plan.str();
  EXPECT_EQ(Plan::parse(plan.str()).value(), plan);
}

// Chen et al., section 4.2: memory in the order of the root of the number of layers.
TEST(MemoryBudget, SqrtSavesMoreTheDeeperTheNet) {
  double last = 1;
  for (const int blocks : {4, 16, 48}) {
    const graph::Graph graph = chain(blocks);
    const auto resolved = try_to_resolve(graph, {.recompute = Recompute::sqrt});
    ASSERT_TRUE(resolved.ok());
    const Program kept = lowered(graph, try_to_resolve(graph, {}).value().plan);
    const Program less = lowered(graph, resolved->plan);
    EXPECT_TRUE(verify(less).ok());
    const double share = static_cast<double>(less.arena_bytes) / static_cast<double>(kept.arena_bytes);
    EXPECT_LT(share, last) << blocks;
    last = share;
    EXPECT_GT(resolved->recompute_seconds, 0);
    // A forward pass more at the most, of the three.
    EXPECT_LT(resolved->recompute_seconds, 0.6 * resolved->predicted_seconds);
  }
  EXPECT_LT(last, 0.4);
}

TEST(MemoryBudget, IsMetAndCostsMoreTheTighterItIs) {
  const graph::Graph graph = chain(12);
  const Resolution open = try_to_resolve(graph, {.optimizer_slots = 1}).value();
  EXPECT_EQ(open.memory_bytes, memory_of(graph, open.plan));
  double last = -1;
  for (const int percent : {100, 90, 75, 60}) {
    const PlanRequest request{.memory_limit_bytes = open.memory_bytes * percent / 100, .optimizer_slots = 1};
    const auto resolved = try_to_resolve(graph, request);
    ASSERT_TRUE(resolved.ok()) << resolved.reason().text;
    EXPECT_LE(resolved->memory_bytes, request.memory_limit_bytes);
    EXPECT_EQ(resolved->memory_bytes, memory_of(graph, resolved->plan));
    EXPECT_GE(resolved->recompute_seconds, last);
    EXPECT_EQ(resolved->recompute_seconds == 0, percent == 100);
    last = resolved->recompute_seconds;
    EXPECT_EQ(try_to_resolve(graph, request).value().plan, resolved->plan);  // deterministic
  }
}

TEST(MemoryBudget, RefusalNamesTheSmallestWhichIsThenMet) {
  const graph::Graph graph = chain(8);
  const auto refused = try_to_resolve(graph, {.memory_limit_bytes = 1000, .optimizer_slots = 1});
  ASSERT_FALSE(refused.ok());
  const std::string text = refused.reason().text, mark = "the smallest that it can is ";
  const std::size_t place = text.find(mark);
  ASSERT_NE(place, std::string::npos) << text;
  const std::int64_t smallest = std::stoll(text.substr(place + mark.size()));
  const auto met = try_to_resolve(graph, {.memory_limit_bytes = smallest, .optimizer_slots = 1});
  ASSERT_TRUE(met.ok()) << met.reason().text;
  EXPECT_EQ(met->memory_bytes, smallest);
  EXPECT_FALSE(try_to_resolve(graph, {.memory_limit_bytes = smallest - 1, .optimizer_slots = 1}).ok());
}

}  // namespace
}  // namespace convoy::plan
