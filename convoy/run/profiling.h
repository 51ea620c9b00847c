// Profiles of training: a window of steps, clocked kernel by kernel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "convoy/base/clock.h"
#include "convoy/base/trace.h"
#include "convoy/exec/graph_objective.h"
#include "convoy/exec/profile.h"
#include "convoy/machine/machine.h"
#include "convoy/run/config.h"
#include "convoy/train/strategy.h"

namespace convoy::run {

// Where the time of the window's steps went. Numbers of rows are per step, means over the window.
struct ProfileReport {
  std::int64_t first_step = 0;  // of the window, counted from 1; 0: the run ended before it began
  std::int64_t steps = 0;
  double step_seconds = 0;               // wall time from step to step, checkpoints and evaluation left out
  std::vector<exec::ProfileRow> rows;    // layers by direction, the longest first
  std::vector<exec::ProfileRow> others;  // "conversions", "update", "data wait", "interpreter", "progress"
  machine::Machine machine;              // with the team's peak, as probed
  base::Timeline timeline;               // of the window, and checkpoints and evaluations of the whole run
  std::int64_t steps_in_timeline = 0;    // fewer than `steps` where their spans would be too many

  // Sum of rows and others, and its share of step_seconds.
  double explained_seconds() const;
  double explained_share() const { return step_seconds > 0 ? explained_seconds() / step_seconds : 0; }
};

// Follows a run through its step reports. After a warm-up of up to ten steps, in which Programs are lowered
// and memory is touched for the first time, it clocks the window; before and after that, a step pays three
// spans of the strategy, which are dropped. Within it, every step of the Program pays one reading of the
// clock, 30 ns; outside, the objective pays nothing. Not thread-safe.
class Profiler {
 public:
  // `total_steps` as in StrategyConfig. All references outlive the profiler.
  Profiler(const RunConfig& config, std::int64_t first_step, std::int64_t total_steps,
           exec::GraphObjective& objective, const base::Clock& clock);
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  // For the strategy, and for whoever evaluates.
  base::TraceRecorder& trace() { return trace_; }
  // Call last in the observer of each step; `observed_from`: the time when it was called.
  void on_step(const train::StepReport& step, double observed_from);

  // Closes the window. `machine`: whose peak the rows stand against.
  ProfileReport finish(const machine::Machine& machine);

 private:
  // Seconds by category of the spans of the window.
  struct Spans {
    double update = 0, data = 0, evaluate = 0, apart = 0;
  };

  void take_spans(bool inside);
  void add_rows(ProfileReport& report) const;
  void add_timeline(ProfileReport& report);

  std::int64_t window_begin_, window_end_;  // steps done before and after the window
  exec::GraphObjective& objective_;
  const base::Clock& clock_;
  base::TraceRecorder trace_;
  std::vector<exec::ClockedRun> runs_;
  std::vector<base::TraceEvent> events_;
  Spans spans_;
  std::int64_t steps_ = 0;          // clocked so far
  double wall_ = 0, observer_ = 0;  // seconds of the window
  double last_ = 0;                 // end of the step before
};

}  // namespace convoy::run
