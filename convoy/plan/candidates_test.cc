#include "convoy/plan/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "convoy/layers/net.h"
#include "convoy/plan/resolve.h"

namespace convoy::plan {
namespace {

using kernels::KernelEntry;
using kernels::LayoutFamily;
using kernels::Pass;
using kernels::Problem;

const StepConfig kGradient = {.mode = StepConfig::Mode::gradient, .batch = 2};

graph::Graph conv_net() {
  layers::Net net("net", {1, 8, 8});
  net.conv("a", {.output_channels = 4, .kernel = 3}).conv("b", {.output_channels = 4, .kernel = 5});
  net.flatten().gemm("fc", 3).softmax_cross_entropy();
  return std::move(net).build().value();
}

// The reference kernel with a workspace of another size.
class Sized final : public kernels::Kernel {
 public:
  Sized(Problem problem, std::int64_t workspace_bytes) {
    problem.family = LayoutFamily::plain;
    kernel_ = kernels::find(kernels::catalog(), problem.kind->op, "reference")->make(problem);
    traits_ = kernel_->traits();
    traits_.workspace_bytes = workspace_bytes;
  }
  const kernels::KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return "sized"; }
  void run(const kernels::KernelArgs& args) const noexcept override { kernel_->run(args); }

 private:
  std::unique_ptr<kernels::Kernel> kernel_;
  kernels::KernelTraits traits_;
};

template <int kilobytes>
std::unique_ptr<kernels::Kernel> make(const Problem& problem) {
  return std::make_unique<Sized>(problem, std::int64_t{kilobytes} << 10);
}
template <int microseconds>
double takes(const Problem&, const machine::Machine&) {
  return microseconds * 1e-6;
}
template <int times>
double errs(const Problem& problem) {
  return times * direct_error_growth(problem);
}
base::Verdict anything(const Problem&) { return {}; }
base::Verdict only_3x3_blocked(const Problem& problem) {
  if (problem.family != LayoutFamily::blocked) return base::Reason{"blocked layouts only"};
  if (problem.params[0].shape[2] != 3) return base::Reason{"3x3 only"};
  return {};
}

// Two variants of one algorithm that serve 3x3 in blocked layouts, and one that serves all.
kernels::Catalog make_catalog() {
  kernels::Catalog catalog = {{.name = "wino:f4",
                               .op = "Conv",
                               .supports = only_3x3_blocked,
                               .make = make<8>,
                               .seconds = takes<4>,
                               .error_growth = errs<10>},
                              {.name = "wino:f2",
                               .op = "Conv",
                               .supports = only_3x3_blocked,
                               .make = make<4>,
                               .seconds = takes<5>,
                               .error_growth = errs<2>},
                              {.name = "direct",
                               .op = "Conv",
                               .supports = anything,
                               .make = make<2>,
                               .seconds = takes<3>,
                               .error_growth = errs<1>}};
  for (KernelEntry entry : kernels::reference_catalog()) {
    entry.seconds = takes<500>;
    catalog.push_back(entry);
  }
  return catalog;
}

class CandidatesTest : public ::testing::Test {
 protected:
  base::Result<Resolution> resolved(const PlanRequest& request, const KernelCosts& costs = {}) const {
    return resolve(graph_, request, kGradient, costs, catalog_);
  }
  std::string refusal(const PlanRequest& request) const {
    const auto resolution = resolved(request);
    return resolution ? "resolved" : resolution.reason().text;
  }
  // The entries of a layer's passes, forward first: "direct direct".
  std::string entries(const PlanRequest& request, std::string_view layer) const {
    const auto resolution = resolved(request);
    if (!resolution) return resolution.reason().text;
    std::string text;
    for (const Chosen& chosen : resolution->chosen)
      if (chosen.layer == layer) text += (text.empty() ? "" : " ") + chosen.choice.entry;
    return text;
  }
  static PlanRequest conv(std::map<std::string, std::string> algorithms) {
    return {.conv_algorithms = std::move(algorithms)};
  }

  graph::Graph graph_ = conv_net();
  kernels::Catalog catalog_ = make_catalog();
};

TEST(Means, TheNameOrItsBeginningBeforeAColon) {
  EXPECT_TRUE(means("winograd", "winograd:f4"));
  EXPECT_TRUE(means("winograd:f4", "winograd:f4"));
  EXPECT_TRUE(means("fft", "fft"));
  EXPECT_FALSE(means("wino", "winograd:f4"));
  EXPECT_FALSE(means("winograd:f", "winograd:f4"));
  EXPECT_FALSE(means("winograd:f4", "winograd"));
  EXPECT_FALSE(means("", ":f4"));
  EXPECT_FALSE(means("", "fft"));
}

TEST_F(CandidatesTest, AnAlgorithmIsForcedByNameOrPrefix) {
  EXPECT_EQ(entries({}, "a"), "direct direct");
  EXPECT_EQ(entries(conv({{"a", "wino:f2"}}), "a"), "wino:f2 wino:f2");
  EXPECT_EQ(entries(conv({{"a", "wino"}}), "a"), "wino:f4 wino:f4");  // the faster of both
  EXPECT_EQ(entries(conv({{"a", "wino"}}), "b"), "direct direct direct");
  EXPECT_EQ(entries({.kernels = {{"a", "wino"}}}, "a"), "wino:f4 wino:f4");
}

TEST_F(CandidatesTest, ForAllMeansWhereItServesAndAutoFrees) {
  EXPECT_EQ(entries(conv({{"*", "wino"}}), "a"), "wino:f4 wino:f4");
  EXPECT_EQ(entries(conv({{"*", "wino"}}), "b"), "direct direct direct");  // 5x5
  EXPECT_EQ(entries(conv({{"*", "wino"}, {"a", "auto"}}), "a"), "direct direct");
  EXPECT_EQ(entries(conv({{"*", "wino"}, {"a", "wino:f2"}}), "a"), "wino:f2 wino:f2");
  EXPECT_EQ(entries({.kernels = {{"*", "reference"}}}, "fc"), "reference reference reference");
  // A convolution algorithm goes before a kernel of all layers.
  EXPECT_EQ(entries({.kernels = {{"*", "reference"}}, .conv_algorithms = {{"*", "direct"}}}, "b"),
            "direct direct direct");
}

TEST_F(CandidatesTest, AForcedAlgorithmIsFoundInAnyFamily) {
  const auto resolution = resolved({.layout = LayoutFamily::plain, .conv_algorithms = {{"a", "wino:f2"}}});
  ASSERT_TRUE(resolution.ok()) << resolution.reason().text;
  EXPECT_EQ(resolution->plan.layers[0].passes.at(Pass::forward), (Choice{"wino:f2", LayoutFamily::blocked}));
}

TEST_F(CandidatesTest, ImpossibleRequestsAreRefusedWithTheReason) {
  EXPECT_NE(refusal(conv({{"b", "wino:f2"}})).find("layer b, forward: "), std::string::npos);
  EXPECT_NE(refusal(conv({{"b", "wino:f2"}})).find("wino:f2/blocked: 3x3 only"), std::string::npos);
  EXPECT_EQ(refusal(conv({{"a", "magic"}})),
            "no convolution algorithm 'magic'; there are: wino:f4, wino:f2, direct, reference");
  EXPECT_EQ(refusal(conv({{"*", "magic"}})),
            "no convolution algorithm 'magic'; there are: wino:f4, wino:f2, direct, reference");
  EXPECT_EQ(refusal(conv({{"c", "direct"}})), "no layer 'c' in net to use convolution algorithm direct");
  EXPECT_EQ(refusal(conv({{"fc", "direct"}})), "layer fc is a Gemm: only a Conv has a convolution algorithm");
  EXPECT_NE(refusal({.kernels = {{"a", "direct"}}, .conv_algorithms = {{"a", "wino"}}}).find("give one"),
            std::string::npos);
}

TEST_F(CandidatesTest, TheErrorLimitCountsInDirectSums) {
  const auto with_limit = [&](double limit) {
    return entries({.conv_algorithms = {{"*", "wino"}}, .error_limit = limit}, "a");
  };
  EXPECT_EQ(with_limit(10), "wino:f4 wino:f4");
  EXPECT_EQ(with_limit(9.9), "wino:f2 wino:f2");
  EXPECT_EQ(with_limit(2), "wino:f2 wino:f2");
  EXPECT_EQ(with_limit(1), "direct direct");
  const std::string line = refusal({.conv_algorithms = {{"a", "wino:f4"}}, .error_limit = 4});
  EXPECT_NE(line.find("its error bound is 10 times the direct sum's, the limit is 4"), std::string::npos)
      << line;
}

TEST_F(CandidatesTest, TheWorkspaceLimitPassesOver) {
  const auto with_limit = [&](std::int64_t bytes) {
    return entries({.conv_algorithms = {{"*", "wino"}}, .workspace_limit_bytes = bytes}, "a");
  };
  EXPECT_EQ(with_limit(8192), "wino:f4 wino:f4");
  EXPECT_EQ(with_limit(8191), "wino:f2 wino:f2");
  EXPECT_EQ(with_limit(4095), "direct direct");
  const auto resolution = resolved({.workspace_limit_bytes = 8191});
  ASSERT_TRUE(resolution.ok());
  EXPECT_TRUE(std::any_of(resolution->passed_over.begin(), resolution->passed_over.end(),
                          [](const PassedOver& passed) {
                            return passed.layer == "a" && passed.entry == "wino:f4/blocked" &&
                                   passed.reason == "it needs 8192 bytes of workspace, the limit is 8191";
                          }));
  EXPECT_NE(refusal({.conv_algorithms = {{"a", "wino:f4"}}, .workspace_limit_bytes = 100}).find("8192 bytes"),
            std::string::npos);
}

// Everything still runs: by what exceeds the limit least.
TEST_F(CandidatesTest, WhereNothingKeepsTheWorkspaceLimitTheSmallestServes) {
  EXPECT_EQ(entries({.workspace_limit_bytes = 1}, "a"), "direct direct");
}

class Table final : public Timings {
 public:
  std::optional<double> seconds(const Problem& problem, std::string_view entry, int) const override {
    if (problem.kind->op != "Conv") return std::nullopt;
    if (entry == "wino:f2") return 1e-6;
    if (entry == "wino:f4") return 9e-6;
    return std::nullopt;
  }
};

TEST_F(CandidatesTest, MeasuredTimesReplacePredictions) {
  const Table table;
  const auto resolution = resolved({.layout = LayoutFamily::blocked}, {machine::Machine(), &table});
  ASSERT_TRUE(resolution.ok()) << resolution.reason().text;
  const auto chosen = std::find_if(resolution->chosen.begin(), resolution->chosen.end(),
                                   [](const Chosen& c) { return c.layer == "a" && c.pass == Pass::forward; });
  ASSERT_NE(chosen, resolution->chosen.end());
  EXPECT_EQ(chosen->choice.entry, "wino:f2");
  EXPECT_TRUE(chosen->cost.measured);
  EXPECT_EQ(chosen->cost.seconds, 1e-6);
  const auto lost = [&](const char* entry) {
    return *std::find_if(
        resolution->passed_over.begin(), resolution->passed_over.end(),
        [&](const PassedOver& p) { return p.layer == "a" && p.pass == Pass::forward && p.entry == entry; });
  };
  EXPECT_EQ(lost("wino:f4/blocked").reason, "9 us measured; wino:f2/blocked takes 1 us measured");
  EXPECT_EQ(lost("wino:f4/blocked").seconds, 9e-6);
  EXPECT_TRUE(lost("wino:f4/blocked").measured);
  EXPECT_EQ(lost("direct/blocked").reason, "3 us predicted; wino:f2/blocked takes 1 us measured");
  EXPECT_FALSE(lost("direct/blocked").measured);
}

TEST_F(CandidatesTest, EveryOtherEntryIsNamedOnceAPass) {
  const auto resolution = resolved({});
  ASSERT_TRUE(resolution.ok());
  EXPECT_EQ(resolution->families.size(), 4u);
  std::vector<std::string> others;
  for (const PassedOver& passed : resolution->passed_over)
    if (passed.layer == "b" && passed.pass == Pass::backward_data) others.push_back(passed.entry);
  std::sort(others.begin(), others.end());
  EXPECT_EQ(others, (std::vector<std::string>{"reference/plain", "wino:f2/blocked", "wino:f4/blocked"}));
}

}  // namespace
}  // namespace convoy::plan
