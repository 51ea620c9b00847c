#include "convoy/graph/work_depth.h"

#include <gtest/gtest.h>

namespace convoy::graph {
namespace {

using tensor::Shape;

// Toy kinds with round numbers, an operation each element: W = 10 N and D = 3 forward; with a weight the
// backward passes take 2 and 5 levels, without one 2.
base::Result<Signature> infer_step(const Attributes& attributes, std::span<const Shape> inputs) {
  Signature signature{.outputs = {inputs[0]}, .params = {}};
  if (attributes.integer("weights") > 0)
    signature.params.push_back({.name = "weight", .shape = {attributes.integer("weights")}});
  return signature;
}

Work step_work(const Attributes& attributes, std::span<const Shape> inputs, const Signature&) {
  const bool weights = attributes.integer("weights") > 0;
  const std::int64_t n = inputs[0][0];
  return {.macs = weights ? 8 * n : 0,
          .macs_backward = weights ? 16 * n : 0,
          .other_flops = weights ? 2 * n : 10 * n,
          .other_flops_backward = 7 * n,
          .depth = 3,
          .depth_backward_data = 2,
          .depth_backward_weights = weights ? 5 : 0};
}

base::Result<Signature> infer_loss(const Attributes&, std::span<const Shape>) {
  return Signature{.outputs = {Shape{}}, .params = {}};
}
Work loss_work(const Attributes&, std::span<const Shape> inputs, const Signature&) {
  return {.other_flops = inputs[0][0],
          .other_flops_backward = inputs[0][0],
          .depth = 4,
          .depth_backward_data = 1};
}

const AttributeSpec kAttributes[] = {{"weights", std::int64_t{0}}};
const LayerKind kStep = {.op = "Step",
                         .description = "toy",
                         .max_inputs = -1,
                         .attributes = kAttributes,
                         .infer = infer_step,
                         .work = step_work,
                         .forward = nullptr,
                         .backward = nullptr,
                         .samples = nullptr,
                         .traits = {}};
const LayerKind kLoss = {.op = "Loss",
                         .description = "toy",
                         .infer = infer_loss,
                         .work = loss_work,
                         .forward = nullptr,
                         .backward = nullptr,
                         .samples = nullptr,
                         .traits = {}};

Attributes weights(std::int64_t count) { return {{"weights", count}}; }

TEST(WorkDepth, AChainAddsUp) {
  GraphBuilder builder("chain", {6});
  const ValueId a = builder.add(kStep, "a", weights(1), {builder.input()});
  const ValueId b = builder.add(kStep, "b", weights(1), {a});
  builder.set_output(b);
  builder.set_loss(builder.add(kLoss, "loss", {}, {b}));
  const NetworkWork work = count_work(std::move(builder).build().value(), 2);
  EXPECT_EQ(work.macs, 2 * 16);
  EXPECT_EQ(work.forward.work, 20 + 20 + 2);
  EXPECT_EQ(work.forward.depth, 3 + 3 + 4);
  EXPECT_DOUBLE_EQ(work.forward.parallelism(), 4.2);
  // The loss; both products and the bias of b; of a the weights alone, since nobody learns from the input.
  EXPECT_EQ(work.step.work, 42 + 2 + (32 + 14) + (16 + 14));
  EXPECT_EQ(work.step.depth, 10 + 1 + 2 + 5);  // b's data, then a's weights
  ASSERT_EQ(work.layers.size(), 3u);
  EXPECT_EQ(forward_work(work.layers[1]).work, 20);
  EXPECT_EQ(forward_work(work.layers[1]).depth, 3);
}

// D is the longest path and not the sum over the layers; W is the sum all the same.
TEST(WorkDepth, BranchesRunBesideEachOther) {
  GraphBuilder builder("fork", {6});
  const ValueId a = builder.add(kStep, "a", weights(1), {builder.input()});
  const ValueId short_branch = builder.add(kStep, "short", weights(1), {a});
  ValueId long_branch = a;
  for (const char* name : {"long1", "long2", "long3"})
    long_branch = builder.add(kStep, name, weights(0), {long_branch});
  const ValueId join = builder.add(kStep, "join", weights(0), {short_branch, long_branch});
  builder.set_output(join);
  builder.set_loss(builder.add(kLoss, "loss", {}, {join}));
  const NetworkWork work = count_work(std::move(builder).build().value(), 1);
  EXPECT_EQ(work.forward.work, 6 * 10 + 1);
  EXPECT_EQ(work.forward.depth, 3 * 5 + 4);
  // Back through join and the long branch, one level to add a's two gradients, then a's weights.
  EXPECT_EQ(work.step.depth, 19 + 1 + 2 + 3 * 2 + 1 + 5);
  const std::int64_t sum_of_gradients = 6;
  EXPECT_EQ(work.step.work, 61 + 1 + 7 + 3 * 7 + (16 + 7) + (8 + 7) + sum_of_gradients);
}

TEST(WorkDepth, WhatDoesNotLeadToTheLossHasNoBackwardPass) {
  GraphBuilder builder("side", {6});
  const ValueId a = builder.add(kStep, "a", weights(1), {builder.input()});
  const ValueId side = builder.add(kStep, "side", weights(0), {a});
  builder.set_output(side);
  builder.set_loss(builder.add(kLoss, "loss", {}, {a}));
  const NetworkWork work = count_work(std::move(builder).build().value(), 1);
  EXPECT_EQ(work.forward.work, 21);
  EXPECT_EQ(work.step.work, 21 + 1 + (8 + 7));
}

TEST(WorkDepth, WithoutALossThereIsForwardOnly) {
  GraphBuilder builder("open", {6});
  builder.set_output(builder.add(kStep, "a", weights(1), {builder.input()}));
  const NetworkWork work = count_work(std::move(builder).build().value(), 3);
  EXPECT_EQ(work.forward.work, 30);
  EXPECT_EQ(work.step.work, work.forward.work);
  EXPECT_EQ(work.step.depth, work.forward.depth);
  EXPECT_EQ(WorkDepth{}.parallelism(), 0);
}

}  // namespace
}  // namespace convoy::graph
