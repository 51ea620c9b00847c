#include "convoy/plan/memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "convoy/base/rng.h"
#include "convoy/plan/verify.h"
#include "tests/support/hand_program.h"

namespace convoy::plan {
namespace {

using testing::HandProgram;
using testing::slot_named;
using testing::slot_of;
using testing::two_layer_program;

TEST(Lifetimes, AreFirstAndLastTouch) {
  const Program program = two_layer_program();
  const std::vector<Lifetime> used = lifetimes(program);
  const auto of = [&](const char* name) { return used[static_cast<std::size_t>(slot_named(program, name))]; };
  EXPECT_EQ(of("h").first, 2);
  EXPECT_EQ(of("h").last, 3);
  EXPECT_EQ(of("r").first, 3);
  EXPECT_EQ(of("r").last, testing::step_named(program, "relu backward"));
  EXPECT_EQ(of("fc2.workspace").first, of("fc2.workspace").last);
}

TEST(Lifetimes, OfAnUntouchedSlotIsNone) {
  HandProgram hand(StepConfig::Mode::predict);
  hand.slot("idle", {3});
  EXPECT_EQ(lifetimes(hand.program)[0].first, -1);
  EXPECT_EQ(lifetimes(hand.program)[0].last, -1);
}

TEST(PlanMemory, SeparateGivesEverySlotItsPlace) {
  Program program = two_layer_program();
  plan_memory(program, false);
  EXPECT_EQ(program.arena_bytes, program.arena_bytes_unshared);
  // h r y saved loss seed dy workspace dr dh, each rounded up to 64: 8 of one line, 2 of more (100, 300).
  EXPECT_EQ(program.arena_bytes, 8 * 64 + 128 + 320);
  EXPECT_TRUE(verify(program).ok());
}

TEST(PlanMemory, SharedIsSmallerAndHolds) {
  Program program = two_layer_program();
  plan_memory(program, true);
  EXPECT_LT(program.arena_bytes, program.arena_bytes_unshared);
  EXPECT_GE(program.arena_bytes, live_bytes_bound(program));
  const base::Verdict verdict = verify(program);
  EXPECT_TRUE(verdict.ok()) << verdict.reason().text;
}

TEST(PlanMemory, GradientsShareAPlaceOnceTheyAreTaken) {
  Program program = two_layer_program();
  plan_memory(program, true);
  EXPECT_EQ(program.gradient_bytes, 64);
  plan_memory(program, false);
  EXPECT_EQ(program.gradient_bytes, 128);
  EXPECT_TRUE(verify(program).ok());
  Step& giver = testing::step_of(program, "fc1 backward_weights");
  giver.operands.in_pieces = true;
  program.kernels[static_cast<std::size_t>(giver.kernel)].traits.in_pieces = true;
  plan_memory(program, false);
  EXPECT_EQ(program.gradient_bytes, 64);
  EXPECT_EQ(slot_of(program, "fc1.weight.gradient").offset, -1);
  EXPECT_TRUE(verify(program).ok());
}

TEST(PlanMemory, TrainingMemoryIsTheSumOfItsParts) {
  Program program = two_layer_program();
  program.kernels.front().traits.derived_bytes = 192;
  plan_memory(program, true);
  const TrainingMemory memory = training_memory(program, 2);
  EXPECT_EQ(memory.data, 32);
  EXPECT_EQ(memory.weights, 2 * 64);
  EXPECT_EQ(memory.gradients, 64);
  EXPECT_EQ(memory.optimizer, 2 * 2 * 64);
  EXPECT_EQ(memory.derived, 192);
  EXPECT_EQ(memory.total(), 32 + 128 + 64 + 256 + 192 + program.arena_bytes);
}

TEST(PlanMemory, BoundCountsTheFullestStep) {
  const Program program = two_layer_program();
  // fc2 backward_weights: r, y (the output), loss, dy and 320 bytes of workspace.
  EXPECT_EQ(live_bytes_bound(program), 4 * 64 + 320);
}

TEST(PlanMemory, InPlaceOnlyWhereTheKernelMay) {
  Program program = two_layer_program();
  plan_memory(program, true);
  EXPECT_EQ(slot_of(program, "h").offset, slot_of(program, "r").offset);
  EXPECT_EQ(slot_of(program, "r.gradient").offset, slot_of(program, "h.gradient").offset);

  Program careful = two_layer_program();
  for (KernelCall& call : careful.kernels) call.traits.in_place = false;
  plan_memory(careful, true);
  EXPECT_NE(slot_of(careful, "h").offset, slot_of(careful, "r").offset);
  EXPECT_NE(slot_of(careful, "r.gradient").offset, slot_of(careful, "h.gradient").offset);
  EXPECT_TRUE(verify(careful).ok());
}

// a → b → c → d, each by an in-place kernel, in a Program that returns `output`.
Program chain(int length, tensor::Shape last_shape, bool output_first) {
  HandProgram hand(StepConfig::Mode::predict);
  const int x = hand.program.input_slot = hand.slot("x", {2, 32}, Region::input);
  int from = hand.slot("v0", {2, 32});
  hand.compute("first", layers::kRelu, kernels::Pass::forward, {.inputs = {x}, .outputs = {from}});
  const int first = from;
  for (int i = 1; i <= length; ++i) {
    const int to = hand.slot("v" + std::to_string(i), i == length ? last_shape : tensor::Shape{2, 32});
    hand.compute("step", layers::kRelu, kernels::Pass::forward, {.inputs = {from}, .outputs = {to}}, true);
    from = to;
  }
  hand.program.output_slot = output_first ? first : from;
  return std::move(hand.program);
}

TEST(PlanMemory, ChainsOfInPlaceShareOnePlace) {
  Program program = chain(4, {2, 32}, false);
  plan_memory(program, true);
  EXPECT_EQ(program.arena_bytes, 256);
  EXPECT_EQ(program.arena_bytes_unshared, 5 * 256);
  EXPECT_EQ(live_bytes_bound(program), 256);
  EXPECT_TRUE(verify(program).ok());
}

TEST(PlanMemory, InPlaceNeedsEqualBytes) {
  Program program = chain(1, {2, 16}, false);
  plan_memory(program, true);
  EXPECT_EQ(program.arena_bytes, 256 + 128);
}

TEST(PlanMemory, TheOutputIsNeverWrittenOver) {
  Program program = chain(1, {2, 32}, true);
  plan_memory(program, true);
  EXPECT_EQ(program.arena_bytes, 2 * 256);
  EXPECT_TRUE(verify(program).ok());
}

TEST(PlanMemory, AnArrayReadTwiceByOneStepIsNotWrittenOver) {
  HandProgram hand(StepConfig::Mode::predict);
  const int x = hand.program.input_slot = hand.slot("x", {2, 32}, Region::input);
  const int a = hand.slot("a", {2, 32});
  const int square = hand.program.output_slot = hand.slot("square", {2, 32});
  hand.compute("copy", layers::kRelu, kernels::Pass::forward, {.inputs = {x}, .outputs = {a}});
  hand.compute("square", layers::kRelu, kernels::Pass::forward, {.inputs = {a, a}, .outputs = {square}},
               true);
  plan_memory(hand.program, true);
  EXPECT_NE(slot_of(hand.program, "a").offset, slot_of(hand.program, "square").offset);
  EXPECT_TRUE(verify(hand.program).ok());
}

TEST(PlanMemory, AnInputOfTheBatchIsNotWrittenOver) {
  HandProgram hand(StepConfig::Mode::predict);
  const int x = hand.program.input_slot = hand.slot("x", {2, 32}, Region::input);
  const int y = hand.program.output_slot = hand.slot("y", {2, 32});
  hand.compute("relu", layers::kRelu, kernels::Pass::forward, {.inputs = {x}, .outputs = {y}}, true);
  plan_memory(hand.program, true);
  EXPECT_EQ(hand.program.arena_bytes, 256);
  EXPECT_TRUE(verify(hand.program).ok());
}

// A Program of `steps` kernels that each read up to three of the last eight arrays and write a new one of
// random size, in place here and there.
Program random_program(std::uint64_t seed, int steps) {
  base::RandomStream random(seed, base::Purpose::test, 1, 0);
  HandProgram hand(StepConfig::Mode::predict);
  const int x = hand.program.input_slot = hand.slot("x", {2, 32}, Region::input);
  std::vector<int> arrays;
  for (int i = 0; i < steps; ++i) {
    std::vector<int> inputs;
    const std::size_t recent = std::min<std::size_t>(arrays.size(), 8);
    for (std::uint64_t k = recent == 0 ? 0 : 1 + random.below(3); k > 0; --k)
      inputs.push_back(arrays[arrays.size() - 1 - random.below(recent)]);
    if (inputs.empty()) inputs.push_back(x);
    const bool alike = random.below(2) == 0;
    const tensor::Shape shape = alike ? hand.program.slots[static_cast<std::size_t>(inputs[0])].shape
                                      : tensor::Shape{static_cast<std::int64_t>(1 + random.below(600))};
    const int out = hand.slot("v" + std::to_string(i), shape);
    hand.compute("k" + std::to_string(i), layers::kRelu, kernels::Pass::forward,
                 {.inputs = inputs, .outputs = {out}}, random.below(2) == 0);
    arrays.push_back(out);
  }
  hand.program.output_slot = arrays.back();
  return std::move(hand.program);
}

// A training step of a chain of layers of random sizes: each value is kept for the backward pass, whose
// gradients follow in the opposite order with random workspaces.
Program random_training_chain(std::uint64_t seed, int layers) {
  base::RandomStream random(seed, base::Purpose::test, 2, 0);
  HandProgram hand(StepConfig::Mode::loss);
  Program& p = hand.program;
  const int x = p.input_slot = hand.slot("x", {32}, Region::input);
  const auto size = [&] { return tensor::Shape{static_cast<std::int64_t>(1 + random.below(600))}; };
  std::vector<int> values = {x};
  for (int i = 0; i < layers; ++i) {
    const int y = hand.slot("v", size());
    hand.compute("forward", layers::kGemm, kernels::Pass::forward,
                 {.inputs = {values.back()}, .outputs = {y}, .workspace = hand.raw("w", size()[0])});
    values.push_back(y);
  }
  p.output_slot = values.back();
  p.loss_slot = hand.slot("loss", {});
  hand.fill(p.loss_slot, 0);
  int gradient = hand.slot("g", p.slots[static_cast<std::size_t>(values.back())].shape);
  hand.fill(gradient, 1);
  for (int i = layers; i > 1; --i) {
    const int below = values[static_cast<std::size_t>(i) - 1];
    const int next = hand.slot("g", p.slots[static_cast<std::size_t>(below)].shape);
    hand.compute("backward", layers::kGemm, kernels::Pass::backward_data,
                 {.inputs = {below},
                  .output_gradients = {gradient},
                  .input_gradients = {next},
                  .workspace = hand.raw("w", size()[0])});
    gradient = next;
  }
  return std::move(p);
}

struct Gap {
  double mean = 0, worst = 0;  // of arena_bytes over the bound, less 1
};

Gap measure_gap(Program (*make)(std::uint64_t seed, int size), int size) {
  constexpr int kRounds = 200;
  Gap gap;
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    Program program = make(seed, size);
    plan_memory(program, true);
    const base::Verdict verdict = verify(program);
    EXPECT_TRUE(verdict.ok()) << "seed " << seed << ": " << (verdict.ok() ? "" : verdict.reason().text);
    const double one =
        static_cast<double>(program.arena_bytes) / static_cast<double>(live_bytes_bound(program)) - 1;
    EXPECT_GE(one, 0) << "seed " << seed;
    EXPECT_LE(program.arena_bytes, program.arena_bytes_unshared) << "seed " << seed;
    gap.mean += one / kRounds;
    gap.worst = std::max(gap.worst, one);
  }
  std::printf("gap to the bound: mean %.2f %%, worst %.2f %%\n", 100 * gap.mean, 100 * gap.worst);
  return gap;
}

// The figures of docs/algorithms.md, with a little room.
TEST(PlanMemory, TrainingChainsComeNearTheBound) {
  const Gap gap = measure_gap(random_training_chain, 20);
  EXPECT_LT(gap.mean, 0.02);
  EXPECT_LT(gap.worst, 0.15);
}

TEST(PlanMemory, RandomDagsComeWithinReachOfTheBound) {
  const Gap gap = measure_gap(random_program, 40);
  EXPECT_LT(gap.mean, 0.10);
  EXPECT_LT(gap.worst, 0.45);
}

TEST(PlanMemory, IsDeterministic) {
  Program a = random_program(7, 60), b = random_program(7, 60);
  plan_memory(a, true);
  plan_memory(b, true);
  for (std::size_t i = 0; i < a.slots.size(); ++i) EXPECT_EQ(a.slots[i].offset, b.slots[i].offset);
}

TEST(PlanMemoryDeath, RefusesSeveralQueues) {
  Program program = two_layer_program();
  program.steps.back().queue = 1;
  EXPECT_DEATH(plan_memory(program, true), "is on queue 1");
}

}  // namespace
}  // namespace convoy::plan
