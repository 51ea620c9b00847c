// Timing the kernels of a model's convolutions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "convoy/base/stop.h"
#include "convoy/graph/graph.h"
#include "convoy/run/config.h"
#include "convoy/run/planning.h"
#include "convoy/tune/tuner.h"

namespace convoy::run {

// How measuring is done, followed and stopped.
struct TuningOptions {
  bool probe =
      false;  // the machine too, which needs 128 MiB for a moment; else by the figures that are known
  std::function<void(const tune::TuneProgress&, int threads)> on_progress = {};
  const base::StopToken* stop = nullptr;
};

// What one team's kernels were found to take.
struct TeamTimes {
  int threads = 1;
  std::vector<tune::TuneRow> rows;
};

struct TuningResult {
  std::vector<TeamTimes> teams;
  int timed = 0;  // kernels, now
  double seconds = 0;
  std::string path;  // of the cache; empty: nothing is kept
};

// Times the kernels of the model's convolutions where the cache does not know them, all of them for
// `--tune force`, for the teams between which choose_plan() chooses, and stores the cache. Where the tuner is
// stopped, what it has is kept. Restores base's thread count. Throws UsageError where the request cannot be
// followed.
TuningResult tune_model(const graph::Graph& graph, const RunConfig& config, PlanningBasis& basis,
                        const TuningOptions& options);

// A convolution that stands for itself.
struct NamedProblem {
  std::string name;
  kernels::Problem problem;  // in any family
};

// The same for single problems, for the team that the config asks for. Of its request, only the layout, the
// limits and an algorithm of "*" count. Throws UsageError where nothing serves a problem.
TuningResult tune_problems(const std::vector<NamedProblem>& problems, const RunConfig& config,
                           PlanningBasis& basis, const TuningOptions& options);

}  // namespace convoy::run
