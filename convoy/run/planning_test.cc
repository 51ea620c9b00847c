#include "convoy/run/planning.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "convoy/base/error.h"
#include "convoy/base/threads.h"
#include "convoy/plan/lower.h"
#include "convoy/run/assemble.h"

namespace convoy::run {
namespace {

// choose_plan leaves the process's team as the plan wants it; other tests want it as it was.
class Planning : public ::testing::Test {
 protected:
  ~Planning() override { base::set_thread_count(threads_); }
  int threads_ = base::thread_count();
};

// Independent of what this machine's tuning cache holds.
RunConfig untuned() {
  RunConfig config;
  config.tune = "off";
  return config;
}

std::string refusal(const graph::Graph& graph, const RunConfig& config) {
  try {
    choose_plan(graph, config);
  } catch (const base::UsageError& error) {
    return error.what();
  }
  return "planned";
}

TEST_F(Planning, FollowsTheNumberOfThreadsAndSetsTheTeam) {
  RunConfig config = untuned();
  for (const int threads : {1, 2}) {
    config.threads = threads;
    const plan::Resolution resolution = choose_plan(build_configured_model(config), config);
    EXPECT_EQ(resolution.plan.threads, threads);
    EXPECT_EQ(base::thread_count(), threads);
    EXPECT_GT(resolution.predicted_seconds, 0);
  }
}

TEST_F(Planning, TakesTheFasterTeamWhereNoneIsAskedFor) {
  if (base::available_processors() < 2) GTEST_SKIP() << "one processor: there is no choice";
  RunConfig config = untuned();
  const graph::Graph graph = build_configured_model(config);
  double best = 0;
  for (const int threads : {base::available_processors(), 1}) {
    config.threads = threads;
    const double seconds = choose_plan(graph, config).predicted_seconds;
    best = best == 0 ? seconds : std::min(best, seconds);
  }
  config.threads = 0;
  const plan::Resolution open = choose_plan(graph, config);
  EXPECT_EQ(open.predicted_seconds, best);
  EXPECT_EQ(base::thread_count(), open.plan.threads);
}

TEST_F(Planning, ThePlanCanBeLowered) {
  RunConfig config = untuned();
  config.threads = 1;
  const graph::Graph graph = build_configured_model(config);
  for (const char* layout : {"auto", "plain", "channels_last", "blocked"}) {
    config.layout = layout;
    const plan::Plan plan = choose_plan(graph, config).plan;
    const auto program = plan::lower(graph, plan, {.batch = config.batch}, kernels::catalog());
    EXPECT_TRUE(program.ok()) << layout << ": " << (program.ok() ? "" : program.reason().text);
  }
}

TEST_F(Planning, FollowsARequestedKernelInEveryPass) {
  RunConfig config = untuned();
  config.threads = 1;
  config.kernels = "conv2=reference";
  config.model = "lenet5";
  const plan::Plan plan = choose_plan(build_configured_model(config), config).plan;
  bool found = false;
  for (const plan::LayerPlan& layer : plan.layers)
    for (const auto& [pass, choice] : layer.passes) {
      const bool wanted = layer.layer == "conv2";
      EXPECT_EQ(choice.entry == "reference", wanted) << layer.layer << ": " << choice.entry;
      found = found || (wanted && pass == kernels::Pass::backward_weights);
    }
  EXPECT_TRUE(found);
}

TEST_F(Planning, RefusesWhatCannotBeFollowed) {
  RunConfig config = untuned();
  config.threads = 1;
  const graph::Graph graph = build_configured_model(config);
  config.kernels = "conv9=reference";
  EXPECT_NE(refusal(graph, config).find("no layer 'conv9'"), std::string::npos) << refusal(graph, config);
  config.kernels = "conv1=nonsense";
  EXPECT_NE(refusal(graph, config).find("nonsense"), std::string::npos) << refusal(graph, config);
  EXPECT_NE(refusal(graph, config).find("conv1"), std::string::npos) << refusal(graph, config);
}

}  // namespace
}  // namespace convoy::run
