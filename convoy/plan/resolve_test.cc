#include "convoy/plan/resolve.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "convoy/layers/net.h"

namespace convoy::plan {
namespace {

using kernels::Kernel;
using kernels::KernelEntry;
using kernels::KernelTraits;
using kernels::LayoutFamily;
using kernels::Pass;
using kernels::Problem;

const StepConfig kGradient = {.mode = StepConfig::Mode::gradient, .batch = 2};

graph::Graph pooling_net() {
  layers::Net net("pooling", {1, 8, 8});
  net.conv("conv", {.output_channels = 4, .kernel = 3}).max_pool("pool", {});
  net.flatten().gemm("fc", 3).softmax_cross_entropy();
  return std::move(net).build().value();
}

const LayerPlan& layer(const Plan& plan, std::string_view name) {
  return *std::find_if(plan.layers.begin(), plan.layers.end(),
                       [&](const LayerPlan& l) { return l.layer == name; });
}

// The reference kernel under other traits: its forward pass saves something, which binds the passes together.
class Saving final : public Kernel {
 public:
  explicit Saving(Problem problem) {
    problem.family = LayoutFamily::plain;
    kernel_ = kernels::find(kernels::catalog(), problem.kind->op, "reference")->make(problem);
    traits_ = kernel_->traits();
    traits_.saved_bytes = 64;
  }
  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return "saving"; }
  void run(const kernels::KernelArgs& args) const noexcept override { kernel_->run(args); }

 private:
  std::unique_ptr<Kernel> kernel_;
  KernelTraits traits_;
};

std::unique_ptr<Kernel> make_saving(const Problem& problem) { return std::make_unique<Saving>(problem); }
base::Verdict anything(const Problem&) { return {}; }
base::Verdict backward_only_plain(const Problem& problem) {
  if (problem.pass == Pass::forward || problem.family == LayoutFamily::plain) return {};
  return base::Reason{"backward in the plain family only"};
}
template <int microseconds>
double takes(const Problem&, const machine::Machine&) {
  return microseconds * 1e-6;
}

// The real catalog, and in front of it two pools that save. "half" runs backward in the plain family only.
kernels::Catalog with_saving_pools() {
  kernels::Catalog catalog = {
      {.name = "half",
       .op = "MaxPool",
       .supports = backward_only_plain,
       .make = make_saving,
       .seconds = takes<2>},
      {.name = "whole", .op = "MaxPool", .supports = anything, .make = make_saving, .seconds = takes<3>}};
  for (KernelEntry entry : kernels::reference_catalog()) {
    entry.seconds = takes<50>;
    catalog.push_back(entry);
  }
  return catalog;
}

TEST(Resolve, TakesTheCheapestKernel) {
  const auto resolution =
      resolve(pooling_net(), {.layout = LayoutFamily::plain}, kGradient, {}, with_saving_pools());
  ASSERT_TRUE(resolution.ok()) << resolution.reason().text;
  for (const auto& [pass, choice] : layer(resolution->plan, "pool").passes) EXPECT_EQ(choice.entry, "half");
}

// In the blocked family "half" is the cheapest for both passes, but would run them in different layouts.
TEST(Resolve, OneKernelInOneFamilyWhereForwardSaves) {
  const auto resolution =
      resolve(pooling_net(), {.layout = LayoutFamily::blocked}, kGradient, {}, with_saving_pools());
  ASSERT_TRUE(resolution.ok()) << resolution.reason().text;
  const auto& passes = layer(resolution->plan, "pool").passes;
  ASSERT_EQ(passes.size(), 2u);
  EXPECT_EQ(passes.begin()->second, passes.rbegin()->second);
  EXPECT_EQ(passes.begin()->second, (Choice{"half", LayoutFamily::plain}));
}

TEST(Resolve, ARequestedKernelIsKeptWherePassesMustAgree) {
  kernels::Catalog catalog = with_saving_pools();
  catalog[0].seconds = takes<9>;  // "whole" would be cheaper
  const PlanRequest request = {.layout = LayoutFamily::blocked, .kernels = {{"pool", "half"}}};
  const auto resolution = resolve(pooling_net(), request, kGradient, {}, catalog);
  ASSERT_TRUE(resolution.ok()) << resolution.reason().text;
  for (const auto& [pass, choice] : layer(resolution->plan, "pool").passes) EXPECT_EQ(choice.entry, "half");
}

TEST(Resolve, SaysWhyAKernelWasPassedOver) {
  const auto resolution =
      resolve(pooling_net(), {.layout = LayoutFamily::blocked}, kGradient, {}, with_saving_pools());
  ASSERT_TRUE(resolution.ok());
  EXPECT_TRUE(
      std::any_of(resolution->passed_over.begin(), resolution->passed_over.end(), [](const PassedOver& p) {
        return p.layer == "pool" && p.pass == Pass::backward_data && p.entry == "half/blocked" &&
               p.reason == "backward in the plain family only";
      }));
}

TEST(Resolve, ComparesFamiliesByTheWholeStep) {
  const graph::Graph graph = pooling_net();
  double best = 0;
  for (const auto family : {LayoutFamily::plain, LayoutFamily::channels_last, LayoutFamily::blocked}) {
    const auto resolution = resolve(graph, {.layout = family}, kGradient, {}, kernels::catalog());
    ASSERT_TRUE(resolution.ok()) << resolution.reason().text;
    best = best == 0 ? resolution->predicted_seconds : std::min(best, resolution->predicted_seconds);
  }
  const auto open = resolve(graph, {}, kGradient, {}, kernels::catalog());
  ASSERT_TRUE(open.ok());
  EXPECT_EQ(open->predicted_seconds, best);
}

TEST(Resolve, AKernelForAllLayersServesThoseThatHaveIt) {
  const PlanRequest request = {.kernels = {{"*", "onednn"}, {"pool", "reference"}}};
  const auto resolution = resolve(pooling_net(), request, kGradient, {}, kernels::catalog());
  ASSERT_TRUE(resolution.ok()) << resolution.reason().text;
  for (const char* name : {"conv", "fc", "pool"})
    for (const auto& [pass, choice] : layer(resolution->plan, name).passes)
      EXPECT_EQ(choice.entry, std::string_view(name) == "pool" ? "reference" : "onednn") << name;
}

TEST(Resolve, RefusesUnknownLayersAndKernels) {
  const auto reason = [](const PlanRequest& request) {
    const auto resolution = resolve(pooling_net(), request, kGradient, {}, kernels::catalog());
    return resolution.ok() ? "resolved" : resolution.reason().text;
  };
  EXPECT_EQ(reason({.kernels = {{"pool9", "reference"}}}),
            "no layer 'pool9' in pooling to use kernel reference");
  EXPECT_EQ(reason({.kernels = {{"pool", "magic"}}}),
            "layer pool, forward: no kernel 'magic' for this operator");
  EXPECT_EQ(reason({.kernels = {{"*", "magic"}}}), "no kernel 'magic' for any operator");
}

}  // namespace
}  // namespace convoy::plan
