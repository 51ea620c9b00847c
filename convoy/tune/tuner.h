// Which kernel is the fastest, by trying those that may be.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "convoy/base/clock.h"
#include "convoy/base/result.h"
#include "convoy/base/stop.h"
#include "convoy/machine/machine.h"
#include "convoy/plan/candidates.h"
#include "convoy/tune/cache.h"
#include "convoy/tune/timer.h"

namespace convoy::tune {

// One pass of one layer, and what may serve it.
struct TuneTarget {
  std::string layer;
  kernels::Problem problem;                 // in any family: the candidates have their own
  std::vector<plan::Candidate> candidates;  // of all families
  std::vector<plan::PassedOver> refused;    // of entries that no family admits, and why
};

// The passes of all layers of that operator, in graph order, and for each the entries that the request
// admits in any family of layouts that it leaves open. Refuses what resolve() would.
base::Result<std::vector<TuneTarget>> tune_targets(const plan::Analysis& analysis,
                                                   const plan::PlanRequest& request,
                                                   const kernels::Catalog& catalog,
                                                   std::string_view op = "Conv");

// The same for a problem that stands for itself; `request` may ask for an algorithm of "*".
TuneTarget tune_target(std::string name, const kernels::Problem& problem, const plan::PlanRequest& request,
                       const kernels::Catalog& catalog);

// What became of one entry for one target.
struct TuneRow {
  enum class State {
    timed,    // now
    known,    // the cache had it
    skipped,  // predicted to lose by far, or the tuner was stopped
    refused,
  };
  State state = State::skipped;
  std::string layer;
  kernels::Pass pass = kernels::Pass::forward;
  std::string entry;   // "fft/blocked"
  std::string reason;  // of skipped and refused ones
  double predicted_seconds = 0;
  double seconds = 0;                // measured; 0: not
  std::int64_t workspace_bytes = 0;  // of timed ones
  bool fastest = false;              // of those measured for the target

  bool measured() const { return seconds > 0; }
  // |predicted / measured - 1|. Requires measured().
  double prediction_error() const;
};
std::string_view name(TuneRow::State state);

// The median of the prediction errors of all rows that were measured; 0 where none was.
double median_prediction_error(std::span<const TuneRow> rows);

struct TuneProgress {
  int done = 0, total = 0;  // kernels to be timed; fewer may be, as results come in
  double elapsed_seconds = 0, remaining_seconds = 0;
  std::string what;  // the kernel that comes next: "conv1 forward fft/blocked"
};

struct TuneConfig {
  TimingConfig timing;
  // A kernel that is predicted to take more than this many times the best one (its prediction or its measured
  // time, whichever is more) is not tried. docs/algorithms.md, "Tuning", has the measurement behind it.
  double cut = 2.5;
  // Kernels within this factor of the best are timed again, in turn, so that a slow moment of the machine
  // does not decide.
  double close = 1.15;
  int rounds = 2;
  bool again = false;  // time also what the cache knows
};

// What the tuner works with; all outlive it.
struct Tuning {
  const machine::Machine& machine;  // predicts
  Cache& cache;
  const base::Clock& clock;
  TuneConfig config = {};
  std::function<void(const TuneProgress&)> on_progress = {};  // before each kernel, and at the end
  const base::StopToken* stop = nullptr;                      // asked between kernels
};

// Times the targets' candidates on the calling thread's team, in the order of their predictions, and puts the
// seconds into the cache, without storing it. What the cache knows is not timed again unless asked for. Rows
// stand in the order of targets, each target's fastest first. Blocks; a few hundredths of a second a kernel,
// and at least two calls of it.
std::vector<TuneRow> tune(std::span<const TuneTarget> targets, const Tuning& tuning);

}  // namespace convoy::tune
