#include "convoy/tune/tuner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "convoy/base/threads.h"
#include "convoy/layers/net.h"
#include "convoy/plan/resolve.h"

namespace convoy::tune {
namespace {

using kernels::KernelEntry;
using kernels::LayoutFamily;
using kernels::Pass;
using kernels::Problem;

// What the fake kernels take, by name, and how often each was called.
struct World {
  base::VirtualClock clock;
  std::map<std::string, double> seconds;
  std::map<std::string, int> calls;
};
World* world = nullptr;

class Fake final : public kernels::Kernel {
 public:
  Fake(std::string name, Problem problem) : name_(std::move(name)) {
    // The reference's traits, without its workspace.
    problem.family = LayoutFamily::plain;
    traits_ = kernels::find(kernels::catalog(), problem.kind->op, "reference")->make(problem)->traits();
    traits_.workspace_bytes = name_ == "large" ? 4096 : 0;
  }
  const kernels::KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return "fake"; }
  void run(const kernels::KernelArgs&) const noexcept override {
    ++world->calls[name_];
    world->clock.advance(world->seconds[name_]);
  }

 private:
  std::string name_;
  kernels::KernelTraits traits_;
};

base::Verdict plain_only(const Problem& problem) {
  if (problem.family == LayoutFamily::plain) return {};
  return base::Reason{"plain layouts only"};
}
base::Verdict never(const Problem&) { return base::Reason{"not for such as you"}; }

constexpr char kQuick[] = "quick", kSlow[] = "slow", kSlowF4[] = "slow:f4", kBoaster[] = "boaster",
               kHopeless[] = "hopeless", kLarge[] = "large";

template <const char* name>
std::unique_ptr<kernels::Kernel> make(const Problem& problem) {
  return std::make_unique<Fake>(name, problem);
}
template <int milliseconds>
double predicts(const Problem&, const machine::Machine&) {
  return milliseconds * 1e-3;
}
template <int times>
double errs(const Problem& problem) {
  return times * plan::direct_error_growth(problem);
}

template <const char* name, int milliseconds, int error = 1>
KernelEntry entry() {
  return {.name = name,
          .op = "Conv",
          .supports = plain_only,
          .make = make<name>,
          .seconds = predicts<milliseconds>,
          .error_growth = errs<error>};
}

kernels::Catalog fake_catalog() {
  kernels::Catalog catalog = {entry<kSlow, 10>(),    entry<kSlowF4, 12, 5>(),    entry<kQuick, 20>(),
                              entry<kBoaster, 11>(), entry<kHopeless, 100, 9>(), entry<kLarge, 13>()};
  catalog.push_back({.name = "picky", .op = "Conv", .supports = never});
  for (KernelEntry reference : kernels::reference_catalog()) {
    reference.seconds = predicts<1000>;
    catalog.push_back(reference);
  }
  return catalog;
}

graph::Graph conv_net() {
  layers::Net net("net", {1, 8, 8});
  net.conv("a", {.output_channels = 2, .kernel = 3}).conv("b", {.output_channels = 2, .kernel = 3});
  net.flatten().gemm("fc", 3).softmax_cross_entropy();
  return std::move(net).build().value();
}

class TunerTest : public ::testing::Test {
 protected:
  TunerTest() {
    world = &world_;
    base::set_thread_count(1);
    world_.seconds = {{kSlow, 0.011},  {kSlowF4, 0.012},   {kQuick, 0.008},
                      {kBoaster, 0.1}, {kHopeless, 0.001}, {kLarge, 0.013}};
  }
  ~TunerTest() override { base::set_thread_count(threads_); }

  std::vector<TuneTarget> targets(const plan::PlanRequest& request = {}) const {
    auto found = tune_targets(analysis_, request, catalog_);
    EXPECT_TRUE(found.ok()) << (found ? "" : found.reason().text);
    return found ? std::move(found).value() : std::vector<TuneTarget>();
  }
  std::string refusal(const plan::PlanRequest& request) const {
    const auto found = tune_targets(analysis_, request, catalog_);
    return found ? "accepted" : found.reason().text;
  }
  // One target: the forward pass of a.
  std::vector<TuneRow> tune_first(const TuneConfig& config = {}) {
    const std::vector<TuneTarget> all = targets();
    return tune(std::span(all).first(1), tuning(config));
  }
  Tuning tuning(const TuneConfig& config) {
    return {.machine = machine_, .cache = cache_, .clock = world_.clock, .config = config};
  }
  static const TuneRow& row(const std::vector<TuneRow>& rows, std::string_view entry) {
    return *std::find_if(rows.begin(), rows.end(), [&](const TuneRow& r) { return r.entry == entry; });
  }

  World world_;
  int threads_ = base::thread_count();
  machine::Machine machine_;
  Cache cache_{"", {.cpu = "A", .isa = "AVX3", .processors = 2, .libraries = {}}};
  graph::Graph graph_ = conv_net();
  plan::Analysis analysis_{graph_, {.mode = plan::StepConfig::Mode::gradient, .batch = 2}};
  kernels::Catalog catalog_ = fake_catalog();
};

TEST_F(TunerTest, FindsTheFastestWhateverWasPredicted) {
  const std::vector<TuneRow> rows = tune_first();
  EXPECT_EQ(rows.front().entry, "quick/plain");
  EXPECT_TRUE(rows.front().fastest);
  EXPECT_EQ(std::count_if(rows.begin(), rows.end(), [](const TuneRow& r) { return r.fastest; }), 1);
  EXPECT_NEAR(rows.front().seconds, 0.008, 1e-9);
  EXPECT_DOUBLE_EQ(rows.front().predicted_seconds, 0.02);
  EXPECT_NEAR(rows.front().prediction_error(), 1.5, 1e-6);
  EXPECT_NEAR(row(rows, "boaster/plain").seconds, 0.1, 1e-9);
  EXPECT_EQ(world_.calls[kBoaster], 1);  // a first call far behind the best is enough
  EXPECT_EQ(row(rows, "hopeless/plain").state, TuneRow::State::skipped);
  EXPECT_EQ(world_.calls[kHopeless], 0);
  EXPECT_EQ(row(rows, "large/plain").workspace_bytes, 4096);
  const TuneRow& refused = row(rows, "picky/blocked");
  EXPECT_EQ(refused.state, TuneRow::State::refused);
  EXPECT_EQ(refused.reason, "not for such as you");
}

TEST_F(TunerTest, ALargerCutTriesMore) {
  const std::vector<TuneRow> rows = tune_first({.cut = 6});
  EXPECT_EQ(rows.front().entry, "hopeless/plain");
}

TEST_F(TunerTest, TheCutFollowsAMachineThatIsSlowerThanPredicted) {
  for (auto& [name, seconds] : world_.seconds) seconds *= 6;
  const std::vector<TuneRow> rows = tune_first();
  EXPECT_EQ(rows.front().entry, "hopeless/plain");  // predicted 100 ms, the others measured 48 and more
}

TEST_F(TunerTest, WhatTheCacheKnowsIsNotTimedAgain) {
  tune_first();
  const std::map<std::string, int> before = world_.calls;
  const std::vector<TuneRow> rows = tune_first();
  EXPECT_EQ(world_.calls, before);
  EXPECT_EQ(rows.front().entry, "quick/plain");
  EXPECT_EQ(rows.front().state, TuneRow::State::known);
  world_.seconds[kSlow] = 0.002;
  EXPECT_EQ(tune_first({.again = true}).front().entry, "slow/plain");
  EXPECT_NEAR(cache_.seconds(targets()[0].problem, "slow", 1).value(), 0.002, 1e-9);
}

TEST_F(TunerTest, EqualProblemsAreTimedOnce) {
  layers::Net net("twins", {2, 8, 8});
  for (const char* name : {"a", "b"}) net.conv(name, {.output_channels = 2, .kernel = 3, .pad = 1});
  net.flatten().gemm("fc", 3).softmax_cross_entropy();
  const graph::Graph twins = std::move(net).build().value();
  const plan::Analysis analysis(twins, {.mode = plan::StepConfig::Mode::loss, .batch = 2});
  const auto list = tune_targets(analysis, {}, catalog_).value();
  ASSERT_EQ(list.size(), 2u);
  const std::vector<TuneRow> rows = tune(list, tuning({.again = true}));
  int timed = 0, known = 0;
  for (const TuneRow& r : rows) {
    timed += r.state == TuneRow::State::timed;
    known += r.state == TuneRow::State::known;
  }
  EXPECT_EQ(timed, 5);
  EXPECT_EQ(known, 5);
}

TEST_F(TunerTest, StopsWhenAsked) {
  base::StopToken stop;
  Tuning tuning = this->tuning({});
  tuning.stop = &stop;
  tuning.on_progress = [&](const TuneProgress& progress) {
    if (progress.done == 2) stop.request_stop(2);
  };
  const std::vector<TuneTarget> list = targets();
  const std::vector<TuneRow> rows = tune(list, tuning);
  EXPECT_EQ(std::count_if(rows.begin(), rows.end(), [](const TuneRow& r) { return r.measured(); }), 3);
  EXPECT_TRUE(cache_.has_news());
}

TEST_F(TunerTest, ReportsProgressToTheEnd) {
  std::vector<TuneProgress> seen;
  Tuning tuning = this->tuning({});
  tuning.on_progress = [&](const TuneProgress& progress) { seen.push_back(progress); };
  const std::vector<TuneTarget> list = targets();
  tune(list, tuning);
  ASSERT_GT(seen.size(), 5u);
  EXPECT_EQ(seen.front().what, "a forward slow/plain");
  EXPECT_GT(seen.front().remaining_seconds, 0);
  for (std::size_t i = 1; i < seen.size(); ++i) {
    EXPECT_GE(seen[i].done, seen[i - 1].done);
    EXPECT_LE(seen[i].done, seen[i].total);
  }
  EXPECT_EQ(seen.back().done, seen.back().total);
  EXPECT_EQ(seen.back().remaining_seconds, 0);
}

TEST_F(TunerTest, TimesAllPassesAndThePlanFollows) {
  const std::vector<TuneTarget> list = targets();
  std::vector<std::string> passes;
  for (const TuneTarget& target : list)
    passes.push_back(base::str(target.layer, " ", kernels::name(target.problem.pass)));
  EXPECT_EQ(passes, (std::vector<std::string>{"a forward", "a backward_weights", "b forward",
                                              "b backward_data", "b backward_weights"}));
  tune(list, tuning({}));
  const plan::StepConfig step = {.mode = plan::StepConfig::Mode::gradient, .batch = 2};
  const auto chosen = [&](const plan::KernelCosts& costs) {
    return plan::resolve(graph_, {}, step, costs, catalog_)
        .value()
        .plan.layers[0]
        .passes.at(Pass::forward)
        .entry;
  };
  EXPECT_EQ(chosen(machine_), "slow");
  EXPECT_EQ(chosen({machine_, &cache_}), "quick");
}

TEST_F(TunerTest, FollowsLimitsAndRequests) {
  const auto names = [](const TuneTarget& target) {
    std::vector<std::string> list;
    for (const plan::Candidate& candidate : target.candidates) list.emplace_back(candidate.entry->name);
    return list;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(targets({.conv_algorithms = {{"a", "slow:f4"}}})[0]), Names{"slow:f4"});
  EXPECT_EQ(names(targets({.conv_algorithms = {{"*", "slow"}}})[3]), (Names{"slow", "slow:f4"}));
  EXPECT_EQ(names(targets({.error_limit = 4})[0]), (Names{"slow", "quick", "boaster", "large", "reference"}));
  const Names small = names(targets({.workspace_limit_bytes = 4095})[0]);
  EXPECT_EQ(std::count(small.begin(), small.end(), "large"), 0);
  EXPECT_NE(refusal({.conv_algorithms = {{"a", "picky"}}}).find("not for such as you"), std::string::npos);
  EXPECT_NE(refusal({.conv_algorithms = {{"a", "magic"}}}).find("no convolution algorithm 'magic'"),
            std::string::npos);
}

TEST_F(TunerTest, ASingleProblemIsATarget) {
  const TuneTarget target =
      tune_target("one", targets()[0].problem, {.conv_algorithms = {{"*", "slow"}}}, catalog_);
  ASSERT_EQ(target.candidates.size(), 2u);
  EXPECT_EQ(tune({&target, 1}, tuning({})).front().entry, "slow/plain");
  EXPECT_TRUE(tune_target("one", targets()[0].problem, {.conv_algorithms = {{"*", "picky"}}}, catalog_)
                  .candidates.empty());
}

TEST(PredictionError, IsTheMedian) {
  std::vector<TuneRow> rows(4);
  EXPECT_EQ(median_prediction_error(rows), 0);
  for (int i = 0; i < 3; ++i) rows[static_cast<std::size_t>(i)].seconds = 1;
  rows[0].predicted_seconds = 1.5;
  rows[1].predicted_seconds = 0.9;
  rows[2].predicted_seconds = 3;
  EXPECT_DOUBLE_EQ(median_prediction_error(rows), 0.5);
}

}  // namespace
}  // namespace convoy::tune
