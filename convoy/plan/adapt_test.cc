#include "convoy/plan/adapt.h"

#include <gtest/gtest.h>

#include "convoy/layers/net.h"
#include "convoy/plan/lower.h"
#include "convoy/plan/resolve.h"
#include "convoy/plan/verify.h"

namespace convoy::plan {
namespace {

using kernels::KernelEntry;
using kernels::LayoutFamily;
using kernels::Pass;
using kernels::Problem;

graph::Graph conv_net() {
  layers::Net net("net", {1, 8, 8});
  net.conv("a", {.output_channels = 4, .kernel = 3})
      .relu("r")
      .max_pool("p", {})
      .conv("b", {.output_channels = 4});
  net.flatten().gemm("fc", 3).softmax_cross_entropy();
  return std::move(net).build().value();
}

base::Verdict from_8_samples(const Problem& problem) {
  if (problem.inputs[0][0] < 8) return base::Reason{"at least 8 samples"};
  return kernels::find(kernels::catalog(), problem.kind->op, "onednn")->supports(problem);
}
template <const char* op>
std::unique_ptr<kernels::Kernel> make(const Problem& problem) {
  return kernels::find(kernels::catalog(), op, "onednn")->make(problem);
}
double nothing(const Problem&, const machine::Machine&) { return 1e-9; }

constexpr char kConv[] = "Conv", kPool[] = "MaxPool";

// In front of the catalog, "many": oneDNN's kernels, for 8 samples and more.
kernels::Catalog make_catalog() {
  kernels::Catalog catalog = {
      {.name = "many", .op = "Conv", .supports = from_8_samples, .make = make<kConv>, .seconds = nothing},
      {.name = "many", .op = "MaxPool", .supports = from_8_samples, .make = make<kPool>, .seconds = nothing}};
  catalog.insert(catalog.end(), kernels::catalog().begin(), kernels::catalog().end());
  return catalog;
}

class AdaptTest : public ::testing::Test {
 protected:
  static StepConfig step(StepConfig::Mode mode, std::int64_t batch) { return {.mode = mode, .batch = batch}; }
  Plan plan() const {
    const PlanRequest request = {.kernels = {{"a", "many"}, {"p", "many"}, {"b", "onednn"}}};
    return resolve(graph_, request, step(StepConfig::Mode::gradient, 16), {}, catalog_).value().plan;
  }
  Plan adapted(const StepConfig& config) const { return adapt(graph_, plan(), config, catalog_); }

  graph::Graph graph_ = conv_net();
  kernels::Catalog catalog_ = make_catalog();
};

TEST_F(AdaptTest, APlanThatServesStays) {
  EXPECT_EQ(adapted(step(StepConfig::Mode::gradient, 16)), plan());
  EXPECT_EQ(adapted(step(StepConfig::Mode::gradient, 8)), plan());
  EXPECT_EQ(adapted(step(StepConfig::Mode::predict, 9)), plan());
}

TEST_F(AdaptTest, OnlyWhatDoesNotServeIsReplaced) {
  const Plan few = adapted(step(StepConfig::Mode::gradient, 3));
  for (const std::size_t i : {0u, 2u})
    for (const auto& [pass, choice] : few.layers[i].passes) EXPECT_NE(choice.entry, "many") << few.str();
  for (const std::size_t i : {3u, 4u, 5u, 6u}) EXPECT_EQ(few.layers[i], plan().layers[i]) << i;
  EXPECT_EQ(few.storage, plan().storage);
  EXPECT_EQ(few.threads, plan().threads);
  EXPECT_EQ(few, adapted(step(StepConfig::Mode::gradient, 3)));
}

// Saved arrays, fusion and layouts included: what comes out is a Program that verify accepts.
TEST_F(AdaptTest, CanBeLoweredForEveryStep) {
  for (const StepConfig::Mode mode :
       {StepConfig::Mode::loss, StepConfig::Mode::gradient, StepConfig::Mode::predict})
    for (const std::int64_t batch : {1, 7, 8, 33}) {
      const StepConfig config = step(mode, batch);
      const auto program = lower(graph_, adapted(config), config, catalog_);
      ASSERT_TRUE(program.ok()) << batch << ": " << program.reason().text;
      const base::Verdict verdict = verify(*program);
      EXPECT_TRUE(verdict.ok()) << (verdict ? "" : verdict.reason().text);
    }
  EXPECT_FALSE(lower(graph_, plan(), step(StepConfig::Mode::gradient, 3), catalog_).ok());
}

TEST_F(AdaptTest, LeavesAForeignPlanToLowering) {
  Plan foreign = plan();
  foreign.layers.pop_back();
  EXPECT_EQ(adapt(graph_, foreign, step(StepConfig::Mode::gradient, 3), catalog_), foreign);
}

}  // namespace
}  // namespace convoy::plan
