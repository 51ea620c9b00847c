#include "convoy/plan/lower.h"

#include <gtest/gtest.h>

#include "convoy/kernels/bf16.h"
#include "convoy/layers/catalog.h"
#include "convoy/layers/net.h"
#include "convoy/plan/adapt.h"
#include "convoy/plan/resolve.h"
#include "convoy/plan/verify.h"
#include "tests/support/bf16_timings.h"

namespace convoy::plan {
namespace {

using kernels::LayoutFamily;
using kernels::Pass;
using layers::Net;

const StepConfig kGradient = {.mode = StepConfig::Mode::gradient, .batch = 2};

graph::Graph small_net() {
  Net net("small", {1, 8, 8});
  net.conv("conv", {.output_channels = 4, .kernel = 3}).relu().max_pool();
  net.flatten().gemm("fc", 3).softmax_cross_entropy();
  return std::move(net).build().value();
}

Resolution resolved(const graph::Graph& graph, const PlanRequest& request = {},
                    const StepConfig& step = kGradient) {
  auto resolution = resolve(graph, request, step, {}, kernels::catalog());
  EXPECT_TRUE(resolution.ok()) << resolution.reason().text;
  return std::move(resolution).value();
}

int count(const Program& program, StepKind kind) {
  return static_cast<int>(std::count_if(program.steps.begin(), program.steps.end(),
                                        [&](const Step& step) { return step.kind == kind; }));
}

TEST(Plan, TextReadsBack) {
  for (const auto family : {LayoutFamily::plain, LayoutFamily::channels_last, LayoutFamily::blocked}) {
    const Plan plan = resolved(small_net(), {.layout = family}).plan;
    const auto parsed = Plan::parse(plan.str());
    ASSERT_TRUE(parsed.ok()) << parsed.reason().text;
    EXPECT_EQ(*parsed, plan);
  }
}

TEST(Plan, StorageMustFitItsSegment) {
  const graph::Graph graph = small_net();
  const auto reason = [&](const char* segment, const char* tag) {
    Plan plan = resolved(graph).plan;
    plan.storage = {{segment, tag}};
    const auto layout = param_layout(graph, plan, tensor::DType::f32);
    return layout.ok() ? std::string("accepted") : layout.reason().text;
  };
  EXPECT_EQ(reason("conv.weight", "acdb"), "accepted");
  EXPECT_EQ(reason("conv.weight", "g3:abcde"), "accepted");  // row-major, whatever the groups
  EXPECT_NE(reason("conv.weight", "g3:acdeb").find("the groups do not divide 4"), std::string::npos);
  EXPECT_NE(reason("conv.weight", "ab").find("storage of conv.weight: layout \"ab\""), std::string::npos);
  EXPECT_EQ(reason("conv9.weight", "acdb"), "storage of conv9.weight: small has no such parameter or state");
}

TEST(Plan, TextThatIsNoneIsRefusedWithItsLine) {
  const auto reason = [](const char* text) {
    const auto plan = Plan::parse(text);
    return plan.ok() ? std::string("accepted") : plan.reason().text;
  };
  EXPECT_EQ(reason("layer a forward=x\n"),
            "plan, line 1: 'x' is no kernel and layout such as onednn/blocked");
  EXPECT_EQ(reason("threads 2\nlayer a sideways=onednn/plain\n"),
            "plan, line 2: 'sideways=onednn/plain' is no pass=kernel/layout");
  EXPECT_EQ(reason("threads none\n"), "plan, line 1: 'none' is no number of threads");
  EXPECT_EQ(reason("threads 4097\n"), "plan, line 1: '4097' is no number of threads");
  EXPECT_EQ(reason("layer \n"), "plan, line 1: a layer line names no layer");
  EXPECT_EQ(reason("memory much\n"),
            "plan, line 1: 'memory much' is neither layer, storage, threads nor memory");
}

TEST(Lower, EveryModeAndFamilyIsProved) {
  const graph::Graph graph = small_net();
  for (const auto family : {LayoutFamily::plain, LayoutFamily::channels_last, LayoutFamily::blocked}) {
    const Plan plan = resolved(graph, {.layout = family}).plan;
    for (const auto mode : {StepConfig::Mode::loss, StepConfig::Mode::gradient, StepConfig::Mode::predict}) {
      const auto program = lower(graph, plan, {.mode = mode, .batch = 3}, kernels::catalog());
      ASSERT_TRUE(program.ok()) << program.reason().text;
      const base::Verdict verdict = verify(*program);
      EXPECT_TRUE(verdict.ok()) << verdict.reason().text;
      EXPECT_EQ(program->loss_slot >= 0, mode != StepConfig::Mode::predict);
      EXPECT_EQ(count(*program, StepKind::ready), mode == StepConfig::Mode::gradient ? 4 : 0);
    }
  }
}

TEST(Lower, IsPure) {
  const graph::Graph graph = small_net();
  const Plan plan = resolved(graph).plan;
  const auto a = lower(graph, plan, kGradient, kernels::catalog());
  const auto b = lower(graph, plan, kGradient, kernels::catalog());
  ASSERT_EQ(a->steps.size(), b->steps.size());
  for (std::size_t i = 0; i < a->steps.size(); ++i) EXPECT_EQ(a->steps[i].label, b->steps[i].label);
  for (std::size_t i = 0; i < a->slots.size(); ++i) EXPECT_EQ(a->slots[i].offset, b->slots[i].offset);
}

// A head beside the loss: its parameters are announced with a gradient of zero.
TEST(Lower, ParametersWithoutInfluenceAreAnnouncedToo) {
  Net net("two_heads", {4});
  net.gemm("trunk", 4).relu();
  const graph::ValueId trunk = net.value();
  net.gemm("head", 3).softmax_cross_entropy();
  const graph::ValueId scores = net.value();
  net.from(trunk).gemm("other", 2).output();
  const auto graph = std::move(net).build();
  ASSERT_TRUE(graph.ok()) << graph.reason().text << scores;
  const auto program = lower(*graph, resolved(*graph).plan, kGradient, kernels::catalog());
  ASSERT_TRUE(program.ok()) << program.reason().text;
  EXPECT_TRUE(verify(*program).ok()) << verify(*program).reason().text;
  EXPECT_EQ(count(*program, StepKind::ready), 6);
  EXPECT_EQ(count(*program, StepKind::fill), 1 + 2);
}

constexpr StepConfig kBf16 = {.mode = StepConfig::Mode::gradient, .batch = 2, .bf16 = true};

// Two branches, a sum, a view and a loss, planned in bf16 wherever there is a kernel for it.
graph::Graph branched_net() {
  Net net("residual", {16, 8, 8});
  net.conv("conv", {.output_channels = 16, .kernel = 3, .pad = 1}).batch_norm().relu();
  const graph::ValueId trunk = net.value();
  net.conv("side", {.output_channels = 16, .kernel = 1}).add(trunk).relu().max_pool();
  net.flatten().gemm("fc", 3).softmax_cross_entropy();
  return std::move(net).build().value();
}

Plan bf16_plan(const graph::Graph& graph, const PlanRequest& request = {}) {
  const testing::Bf16Timings timings;
  return resolve(graph, request, kBf16, {machine::Machine(), &timings}, kernels::catalog()).value().plan;
}

TEST(LowerBf16, KeepsActivationsInBf16AndAllElseInFloat32) {
  using tensor::DType;
  const graph::Graph graph = branched_net();
  for (const auto family : {LayoutFamily::plain, LayoutFamily::channels_last, LayoutFamily::blocked}) {
    const Plan plan = bf16_plan(graph, {.layout = family});
    EXPECT_TRUE(plan.uses_bf16());
    EXPECT_EQ(Plan::parse(plan.str()).value(), plan);
    for (const auto mode : {StepConfig::Mode::loss, StepConfig::Mode::gradient, StepConfig::Mode::predict}) {
      const auto program = lower(graph, plan, {.mode = mode, .batch = 2, .bf16 = true}, kernels::catalog());
      ASSERT_TRUE(program.ok()) << program.reason().text;
      const base::Verdict verdict = verify(*program);
      EXPECT_TRUE(verdict.ok()) << verdict.reason().text;
      int narrow = 0;
      for (const Slot& slot : program->slots) {
        narrow += slot.type == DType::bf16;
        const bool is_free = slot.region == Region::arena || slot.region == Region::labels;
        EXPECT_TRUE(is_free || slot.type == DType::f32) << slot.name;
      }
      EXPECT_GT(narrow, 0);
      EXPECT_EQ(program->slots[static_cast<std::size_t>(program->output_slot)].type, DType::f32);
    }
  }
}

// Each convolution reads a bf16 copy of its filters in either direction and forms their gradient in float32.
TEST(LowerBf16, RoundsFiltersOnceADirection) {
  if (!kernels::check_bf16_products()) GTEST_SKIP() << "no convolution is planned in bf16";
  const graph::Graph graph = branched_net();
  const auto program = lower(graph, bf16_plan(graph), kBf16, kernels::catalog());
  ASSERT_TRUE(program.ok()) << program.reason().text;
  std::map<std::string, int> copies;
  for (const Step& step : program->steps)
    if (step.kind == StepKind::convert &&
        program->slots[static_cast<std::size_t>(step.from)].region == Region::parameter)
      ++copies[program->slots[static_cast<std::size_t>(step.from)].name];
  EXPECT_EQ(copies["side.weight"], 2);
  EXPECT_EQ(copies["conv.weight"], 1);  // nothing wants the gradient of the input
  EXPECT_EQ(copies["conv.bias"], 0);
}

TEST(LowerBf16, IsRefusedToAStepInFloat32AndAdaptedToIt) {
  const graph::Graph graph = branched_net();
  const Plan plan = bf16_plan(graph);
  const auto refused = lower(graph, plan, kGradient, kernels::catalog());
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.reason().text.find("/bf16, but the step is one of f32"), std::string::npos)
      << refused.reason().text;
  const Plan adapted = adapt(graph, plan, kGradient, kernels::catalog());
  EXPECT_FALSE(adapted.uses_bf16());
  EXPECT_TRUE(lower(graph, adapted, kGradient, kernels::catalog()).ok());
  EXPECT_EQ(adapt(graph, plan, kBf16, kernels::catalog()), plan);
}

// Where bf16 gains nothing the plan is that of float32.
TEST(LowerBf16, StaysInFloat32WhereThatIsFaster) {
  const testing::Bf16Timings timings(/*bf16_is_fast=*/false);
  const auto resolution =
      resolve(branched_net(), {}, kBf16, {machine::Machine(), &timings}, kernels::catalog());
  ASSERT_TRUE(resolution.ok()) << resolution.reason().text;
  EXPECT_FALSE(resolution->plan.uses_bf16());
}

TEST(Lower, RefusesTheGradientOfANetWithoutLoss) {
  Net net("scores", {4});
  net.gemm("fc", 3).output();
  const graph::Graph graph = std::move(net).build().value();
  const StepConfig predict = {.mode = StepConfig::Mode::predict, .batch = 2};
  const Plan plan = resolved(graph, {}, predict).plan;
  EXPECT_TRUE(lower(graph, plan, predict, kernels::catalog()).ok());
  const auto program = lower(graph, plan, kGradient, kernels::catalog());
  ASSERT_FALSE(program.ok());
  EXPECT_EQ(program.reason().text, "scores has no loss, and so no gradient");
}

TEST(Lower, ReluAfterReluFusesOnce) {
  Net net("relus", {4});
  net.gemm("fc", 4).relu("first").relu("second").softmax_cross_entropy();
  const graph::Graph graph = std::move(net).build().value();
  Plan plan = resolved(graph).plan;
  EXPECT_TRUE(plan.layers[1].fused_into_producer);
  EXPECT_FALSE(plan.layers[2].fused_into_producer);
  plan.layers[2].fused_into_producer = true;
  const auto program = lower(graph, plan, kGradient, kernels::catalog());
  ASSERT_FALSE(program.ok());
  EXPECT_EQ(program.reason().text,
            "layer second: it is planned as fused, but no single layer before it could apply it");
}

// x + bn(x), relu: the derivative of a relu behind a batch normalisation has no kernel of its own, and a sum
// hands its gradient on without a copy.
graph::Graph residual_net() {
  Net net("residual", {16, 4, 4});
  net.conv("conv1", {.output_channels = 16, .kernel = 3, .pad = 1}).batch_norm({}, "norm1").relu("relu1");
  const graph::ValueId shortcut = net.value();
  net.conv("conv2", {.output_channels = 16, .kernel = 3, .pad = 1}).batch_norm({}, "norm2");
  net.add(shortcut, "add").relu("relu2").global_average_pool().flatten();
  return std::move(net.gemm("fc", 3).softmax_cross_entropy()).build().value();
}

std::vector<std::string> backward_labels(const Program& program) {
  std::vector<std::string> labels;
  for (const Step& step : program.steps)
    if (step.kind == StepKind::compute && step.label.find("backward") != std::string::npos)
      labels.push_back(step.label);
  return labels;
}

TEST(Lower, ResidualBlocksHaveNoStepsThatOnlyCopy) {
  const graph::Graph graph = residual_net();
  const Plan plan = resolved(graph, {.layout = LayoutFamily::blocked}).plan;
  const auto program = lower(graph, plan, kGradient, kernels::catalog());
  ASSERT_TRUE(program.ok()) << program.reason().text;
  EXPECT_TRUE(verify(*program).ok()) << verify(*program).reason().text;
  const std::vector<std::string> labels = backward_labels(*program);
  const auto has = [&](const std::string& label) {
    return std::find(labels.begin(), labels.end(), label) != labels.end();
  };
  EXPECT_TRUE(has("norm1 backward") && has("norm2 backward") && has("relu2 backward_data"));
  EXPECT_FALSE(has("relu1 backward_data") || has("add backward_data"));
  EXPECT_EQ(count(*program, StepKind::reduce_into), 1);
}

// The same value twice in one sum, and two sums that share a term which is read later: nothing may be added
// to a gradient that another value still waits for.
TEST(Lower, SharedGradientsAreNotOverwritten) {
  Net net("shared", {4});
  const graph::ValueId a = net.gemm("a", 4).value();
  const graph::ValueId b = net.from(net.input()).gemm("b", 4).value();
  const graph::ValueId first = net.from(a).add(b, "first").value();
  const graph::ValueId twice = net.from(a).add(a, "twice").value();
  net.from(first).add(twice, "all").softmax_cross_entropy();
  const graph::Graph graph = std::move(net).build().value();
  const auto program = lower(graph, resolved(graph).plan, kGradient, kernels::catalog());
  ASSERT_TRUE(program.ok()) << program.reason().text;
  EXPECT_TRUE(verify(*program).ok()) << verify(*program).reason().text;
  // a: the gradient of "twice" two times and of "first" once; b: that of "first" as it is.
  EXPECT_EQ(count(*program, StepKind::reduce_into), 3);
}

TEST(Lower, RefusesPlansThatDoNotFit) {
  const graph::Graph graph = small_net();
  const Plan good = resolved(graph).plan;
  const auto reason = [&](const Plan& plan) {
    const auto program = lower(graph, plan, kGradient, kernels::catalog());
    return program.ok() ? std::string("accepted") : program.reason().text;
  };
  EXPECT_EQ(reason(good), "accepted");
  Plan plan = good;
  plan.layers.pop_back();
  EXPECT_EQ(reason(plan), "the plan has 5 layers and the model 6: it was made for another model");
  plan = good;
  plan.layers[0].layer = "other";
  EXPECT_EQ(reason(plan), "layer conv: the plan has 'other' in its place: it was made for another model");
  plan = good;
  plan.layers[0].passes[Pass::forward].entry = "magic";
  EXPECT_EQ(reason(plan), "layer conv: no kernel 'magic' for Conv");
  plan = good;
  plan.layers[0].passes.erase(Pass::backward_weights);
  EXPECT_EQ(reason(plan), "layer conv: the plan names no kernel for backward_weights");
  plan = good;
  plan.storage["conv.weight"] = "nonsense";
  EXPECT_EQ(reason(plan).substr(0, 24), "storage of conv.weight: ");
}

TEST(Resolve, FollowsOrRefusesRequests) {
  const graph::Graph graph = small_net();
  const Plan plan = resolved(graph, {.kernels = {{"conv", "reference"}}}).plan;
  for (const auto& [pass, choice] : plan.layers[0].passes) EXPECT_EQ(choice.entry, "reference");
  EXPECT_NE(plan.layers[4].passes.at(Pass::forward).entry, "reference");

  const auto unknown_layer =
      resolve(graph, {.kernels = {{"conv9", "reference"}}}, kGradient, {}, kernels::catalog());
  ASSERT_FALSE(unknown_layer.ok());
  EXPECT_EQ(unknown_layer.reason().text, "no layer 'conv9' in small to use kernel reference");
  const auto unknown_entry =
      resolve(graph, {.kernels = {{"conv", "magic"}}}, kGradient, {}, kernels::catalog());
  ASSERT_FALSE(unknown_entry.ok());
  EXPECT_EQ(unknown_entry.reason().text, "layer conv, forward: no kernel 'magic' for this operator");
}

TEST(Resolve, UnfusedAndUnsharedOnRequest) {
  const Plan plan = resolved(small_net(), {.fuse = false, .share_memory = false}).plan;
  for (const LayerPlan& layer : plan.layers) EXPECT_FALSE(layer.fused_into_producer);
  const auto program = lower(small_net(), plan, kGradient, kernels::catalog());
  EXPECT_EQ(program->arena_bytes, program->arena_bytes_unshared);
}

}  // namespace
}  // namespace convoy::plan
