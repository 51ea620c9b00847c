// The plan of a run.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/graph/graph.h"
#include "convoy/plan/resolve.h"
#include "convoy/run/config.h"
#include "convoy/tune/cache.h"

namespace convoy::run {

// What plans are chosen by: the figures of the machine and the times of its kernels, as far as the tuning
// cache has them and the config uses it; nominal figures and predictions for all else. One warning where the
// cache cannot be used. Not thread-safe.
class PlanningBasis {
 public:
  explicit PlanningBasis(const RunConfig& config);

  bool is_tuned() const { return tuned_; }  // --tune is not off
  tune::Cache& cache() { return cache_; }
  // For teams of that size. Borrows this basis.
  plan::KernelCosts costs(int threads) const;

 private:
  bool tuned_;
  tune::Cache cache_;
};

// What a memory limit, or recomputation without one, makes of a training step.
struct RecomputationReport {
  std::int64_t memory_bytes = 0;  // of the step: plan::training_memory().total()
  std::int64_t limit_bytes = 0;   // 0: none
  std::int64_t layers = 0;        // whose outputs the backward pass computes again
  double seconds = 0;             // estimated, that this adds
  double step_seconds = 0;        // estimated, with it

  bool was_requested() const { return limit_bytes > 0 || layers > 0; }
};
RecomputationReport describe_recomputation(const plan::Resolution& resolution, const RunConfig& config);

// A training step of the config's batch and precision. Throws as uses_bf16().
plan::StepConfig training_step(const RunConfig& config);

// Resolves the config's request for a training step of its batch, with the compute team that the config
// allows and, where it asks for no number, also with one thread, and takes the smaller step time: a small
// step is over before a team has gathered. Measures nothing. Leaves base's thread count at the plan's. Throws
// UsageError with the reason.
plan::Resolution choose_plan(const graph::Graph& graph, const RunConfig& config, const PlanningBasis& basis);
plan::Resolution choose_plan(const graph::Graph& graph, const RunConfig& config);

// A plan for prediction, and for the loss where there is one, with a team of `threads`, or of all processors
// where it is 0, by nominal figures. Sets base's thread count. Throws UsageError with the reason.
plan::Plan inference_plan(const graph::Graph& graph, int threads);

// The teams between which choose_plan() chooses. Decided without the cache, so that what is timed is what is
// chosen from. Leaves base's thread count at one of them.
std::vector<int> candidate_teams(const graph::Graph& graph, const RunConfig& config, bool tuned);

}  // namespace convoy::run
