#include "convoy/run/planning.h"

#include <optional>
#include <utility>

#include "convoy/base/error.h"
#include "convoy/base/threads.h"
#include "convoy/run/assemble.h"
#include "convoy/tune/processor.h"

namespace convoy::run {
namespace {

// A team that is predicted to be so many times slower than another is neither timed nor taken.
constexpr double kHopelessTeam = 1.5;

plan::Resolution resolve(const graph::Graph& graph, const RunConfig& config, const plan::StepConfig& step,
                         const plan::KernelCosts& costs) {
  auto resolution = plan::resolve(graph, plan_request(config), step, costs, kernels::catalog());
  if (!resolution) throw base::UsageError(resolution.reason().text);
  return std::move(resolution).value();
}

// Leaves the thread count at the team's.
plan::Resolution resolve_for(const graph::Graph& graph, const RunConfig& config,
                             const plan::KernelCosts& costs, int threads) {
  base::set_thread_count(threads);
  return resolve(graph, config, training_step(config), costs);
}

}  // namespace

plan::StepConfig training_step(const RunConfig& config) {
  return {.mode = plan::StepConfig::Mode::gradient, .batch = config.batch, .bf16 = uses_bf16(config)};
}

RecomputationReport describe_recomputation(const plan::Resolution& resolution, const RunConfig& config) {
  RecomputationReport report{.memory_bytes = resolution.memory_bytes,
                             .limit_bytes = config.memory,
                             .seconds = resolution.recompute_seconds,
                             .step_seconds = resolution.predicted_seconds};
  for (const plan::LayerPlan& layer : resolution.plan.layers) report.layers += layer.recomputed;
  return report;
}

std::vector<int> candidate_teams(const graph::Graph& graph, const RunConfig& config, bool tuned) {
  const int most = resolve_threads(config);
  if (config.threads != 0 || most == 1) return {most};
  if (!tuned) return {most, 1};
  const double all = resolve_for(graph, config, tune::describe_machine(most), most).predicted_seconds;
  const double one = resolve_for(graph, config, tune::describe_machine(1), 1).predicted_seconds;
  if (one > kHopelessTeam * all) return {most};
  if (all > kHopelessTeam * one) return {1};
  return {most, 1};
}

PlanningBasis::PlanningBasis(const RunConfig& config)
    : tuned_(config.tune != "off"), cache_(tuned_ ? tune::default_cache_path() : std::string()) {}

plan::KernelCosts PlanningBasis::costs(int threads) const {
  if (!tuned_) return tune::describe_machine(threads);
  return {cache_.machine(threads).value_or(tune::describe_machine(threads)), &cache_};
}

plan::Resolution choose_plan(const graph::Graph& graph, const RunConfig& config, const PlanningBasis& basis) {
  std::optional<plan::Resolution> best;
  for (const int threads : candidate_teams(graph, config, basis.is_tuned())) {
    plan::Resolution resolution = resolve_for(graph, config, basis.costs(threads), threads);
    if (!best || resolution.predicted_seconds < best->predicted_seconds) best = std::move(resolution);
  }
  base::set_thread_count(best->plan.threads);
  return *std::move(best);
}

plan::Plan inference_plan(const graph::Graph& graph, int threads) {
  RunConfig config;
  config.threads = threads;
  const int team = resolve_threads(config);
  base::set_thread_count(team);
  using Mode = plan::StepConfig::Mode;
  const plan::StepConfig step = {.mode = graph.loss() >= 0 ? Mode::loss : Mode::predict,
                                 .batch = config.batch};
  return resolve(graph, config, step, tune::describe_machine(team)).plan;
}

plan::Resolution choose_plan(const graph::Graph& graph, const RunConfig& config) {
  return choose_plan(graph, config, PlanningBasis(config));
}

}  // namespace convoy::run
