#include "convoy/run/planning.h"

#include <optional>
#include <utility>
#include <vector>

#include "convoy/base/error.h"
#include "convoy/base/threads.h"
#include "convoy/run/assemble.h"
#include "convoy/run/doctor.h"

namespace convoy::run {

plan::Resolution choose_plan(const graph::Graph& graph, const RunConfig& config) {
  const plan::PlanRequest request = plan_request(config);
  const plan::StepConfig step = {.mode = plan::StepConfig::Mode::gradient, .batch = config.batch};
  std::vector<int> teams = {resolve_threads(config)};
  if (config.threads == 0 && teams[0] > 1) teams.push_back(1);
  std::optional<plan::Resolution> best;
  for (const int threads : teams) {
    base::set_thread_count(threads);
    auto resolution = plan::resolve(graph, request, step, describe_machine(threads), kernels::catalog());
    if (!resolution) throw base::UsageError(resolution.reason().text);
    if (!best || resolution->predicted_seconds < best->predicted_seconds)
      best = std::move(resolution).value();
  }
  base::set_thread_count(best->plan.threads);
  return *std::move(best);
}

}  // namespace convoy::run
