#include "convoy/plan/estimate.h"

#include <gtest/gtest.h>

#include "tests/support/hand_program.h"

namespace convoy::plan {
namespace {

using testing::HandProgram;
using testing::slot_named;
using testing::step_named;
using testing::two_layer_program;

kernels::Catalog two_second_catalog() {
  kernels::KernelEntry entry{};
  entry.name = "reference";
  entry.op = "*";
  entry.seconds = [](const kernels::Problem&, const machine::Machine&) { return 2.0; };
  return {entry};
}

machine::Machine small_machine() {
  machine::Machine machine;
  machine.memory_bandwidth = 10;
  machine.cache_bandwidth = 1000;
  machine.cache_bytes = 400;
  machine.dispatch_seconds = 0.5;
  return machine;
}

const StepCost& cost_of(const Program& program, const Estimate& estimate, const char* label) {
  return estimate.steps[static_cast<std::size_t>(step_named(program, label))];
}

TEST(EstimateTest, CountsEveryStep) {
  Program program = two_layer_program();
  plan_memory(program, true);
  const Estimate e = estimate(program, small_machine(), two_second_catalog());
  ASSERT_EQ(e.steps.size(), program.steps.size());
  // x, w → h: 32 + 64 + 32. r, dy → dw and the workspace there and back: 32 + 32 + 64 + 2 · 300.
  EXPECT_EQ(cost_of(program, e, "fc1 forward").bytes, 128);
  EXPECT_EQ(cost_of(program, e, "fc2 backward_weights").bytes, 728);
  EXPECT_EQ(cost_of(program, e, "fc1 forward").seconds, 2.0);
  EXPECT_EQ(cost_of(program, e, "fill").bytes, 4);
  EXPECT_EQ(cost_of(program, e, "fill").seconds, 4.0 / 1000 + 0.5);
  EXPECT_EQ(cost_of(program, e, "fc1.weight").bytes, 0);
  EXPECT_EQ(cost_of(program, e, "fc1.weight").seconds, 0);
  EXPECT_EQ(cost_of(program, e, "forward").seconds, 0);
  std::int64_t bytes = 0;
  double seconds = 0;
  for (const StepCost& step : e.steps) {
    bytes += step.bytes;
    seconds += step.seconds;
  }
  EXPECT_EQ(e.bytes, bytes);
  EXPECT_DOUBLE_EQ(e.seconds, seconds);  // one queue: nothing overlaps
}

TEST(EstimateTest, LargeMovesGoThroughMemory) {
  HandProgram hand(StepConfig::Mode::predict);
  const int a = hand.slot("a", {100}), b = hand.slot("b", {100});
  hand.program.output_slot = b;
  hand.fill(a, 0);
  hand.move(StepKind::convert, a, b);
  hand.move(StepKind::reduce_into, a, b);
  plan_memory(hand.program, true);
  const Estimate e = estimate(hand.program, small_machine(), {});
  EXPECT_EQ(e.steps[0].seconds, 400.0 / 1000 + 0.5);  // fits the cache exactly
  EXPECT_EQ(e.steps[1].seconds, 800.0 / 10 + 0.5);    // read one, write one
  EXPECT_EQ(e.steps[2].bytes, 1200);                  // read both, write one
}

TEST(EstimateTest, QueuesOverlap) {
  Program program = two_layer_program();
  plan_memory(program, false);
  const double alone = estimate(program, small_machine(), two_second_catalog()).seconds;
  program.steps[static_cast<std::size_t>(step_named(program, "fc2 backward_weights"))].queue = 1;
  EXPECT_DOUBLE_EQ(estimate(program, small_machine(), two_second_catalog()).seconds, alone - 2);
  // A token from the step before puts it back behind, but what follows it on queue 0 still overlaps.
  testing::step_of(program, "loss backward").signals = 1;
  testing::step_of(program, "fc2 backward_weights").waits = {1};
  EXPECT_DOUBLE_EQ(estimate(program, small_machine(), two_second_catalog()).seconds, alone - 2);
  testing::step_of(program, "fc2 backward_weights").signals = 2;
  testing::step_of(program, "fc2 backward_data").waits = {2};
  EXPECT_DOUBLE_EQ(estimate(program, small_machine(), two_second_catalog()).seconds, alone);
}

TEST(EstimateTest, MemoryByPart) {
  Program program = two_layer_program();
  plan_memory(program, true);
  const MemoryEstimate memory = estimate(program, small_machine(), two_second_catalog()).memory;
  EXPECT_EQ(memory.weights, 2 * 64);
  EXPECT_EQ(memory.gradients, 64);  // the second stands where the first did
  EXPECT_EQ(memory.data, program.arena_bytes + 32);
  EXPECT_EQ(memory.activation_gradients, 4 * 64);  // of loss, y, r, h
  EXPECT_EQ(memory.workspace, 320 + 128);
}

TEST(EstimateTest, CopiesOfGradientsAreGradients) {
  Program program = two_layer_program();
  program.slots.push_back(program.slots[static_cast<std::size_t>(slot_named(program, "h.gradient"))]);
  Step copy;
  copy.kind = StepKind::convert;
  copy.from = slot_named(program, "h.gradient");
  copy.to = static_cast<int>(program.slots.size()) - 1;
  program.steps.push_back(copy);
  plan_memory(program, true);
  EXPECT_EQ(estimate(program, small_machine(), two_second_catalog()).memory.activation_gradients, 5 * 64);
}

TEST(EstimateTest, OtherModesHaveNoGradients) {
  HandProgram hand(StepConfig::Mode::predict);
  hand.program.layout.append_replicated("w", {4}, tensor::SegmentKind::parameter, tensor::ParamRole::weight);
  hand.program.output_slot = hand.slot("y", {4});
  hand.fill(hand.program.output_slot, 0);
  plan_memory(hand.program, true);
  const MemoryEstimate memory = estimate(hand.program, small_machine(), {}).memory;
  EXPECT_EQ(memory.gradients, 0);
  EXPECT_EQ(memory.activation_gradients, 0);
  EXPECT_EQ(memory.weights, 64);
}

}  // namespace
}  // namespace convoy::plan
