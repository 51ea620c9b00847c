#include "convoy/run/profiling.h"

#include <algorithm>
#include <utility>

#include "convoy/base/check.h"

namespace convoy::run {
namespace {

constexpr std::int64_t kWarmUpSteps = 10;
// Of a timeline, some 30 MB as a file: more than a person looks at, and what Perfetto opens in a second.
constexpr std::size_t kMostSpans = 150'000;
// Of checkpoints and evaluations, in a run of any length.
constexpr std::size_t kMostRareSpans = 10'000;

enum Track : int { kTrainingThread, kFirstQueue };

// Not part of a training step.
bool is_apart(const base::TraceEvent& event) {
  return event.category == "checkpoint" || event.category == "evaluation";
}

}  // namespace

double ProfileReport::explained_seconds() const {
  double sum = 0;
  for (const auto* list : {&rows, &others})
    for (const exec::ProfileRow& row : *list) sum += row.seconds;
  return sum;
}

Profiler::Profiler(const RunConfig& config, std::int64_t first_step, std::int64_t total_steps,
                   exec::GraphObjective& objective, const base::Clock& clock)
    : objective_(objective), clock_(clock) {
  const std::int64_t all = std::max<std::int64_t>(0, total_steps - first_step);
  window_begin_ = first_step + std::min(kWarmUpSteps, all / 2);
  window_end_ = std::min(window_begin_ + config.profile_steps, total_steps);
  if (window_begin_ == first_step) objective_.clock_runs(&runs_);
  last_ = clock.now();
}

Profiler::~Profiler() { objective_.clock_runs(nullptr); }

void Profiler::on_step(const train::StepReport& step, double observed_from) {
  const bool inside = step.step > window_begin_ && step.step <= window_end_;
  const double apart_before = spans_.apart;
  take_spans(inside);
  if (step.step == window_begin_) objective_.clock_runs(&runs_);
  if (step.step == window_end_) objective_.clock_runs(nullptr);
  const double now = clock_.now();
  if (inside) {
    wall_ += now - last_ - (spans_.apart - apart_before);
    observer_ += now - observed_from;
    ++steps_;
    events_.push_back({.name = base::str("step ", step.step),
                       .category = "step",
                       .begin = last_,
                       .end = now,
                       .track = kTrainingThread,
                       .details = {{"loss", base::str(step.loss)}, {"samples", base::str(step.samples)}}});
  }
  last_ = now;
}

// Spans since the last call: those of the step that is over, and of what came between it and the one before.
void Profiler::take_spans(bool inside) {
  for (const base::TraceEvent& event : trace_.events()) {
    if (is_apart(event)) {
      spans_.apart += event.seconds();
      if (events_.size() < kMostRareSpans || inside) events_.push_back(event);
      continue;
    }
    if (!inside) continue;
    if (event.category == "update") spans_.update += event.seconds();
    if (event.category == "data") spans_.data += event.seconds();
    if (event.category == "evaluate") spans_.evaluate += event.seconds();
    events_.push_back(event);
  }
  trace_.clear();
}

void Profiler::add_rows(ProfileReport& report) const {
  const exec::RunProfile sums = exec::profile(runs_);
  report.rows = sums.rows;
  std::stable_sort(
      report.rows.begin(), report.rows.end(),
      [](const exec::ProfileRow& a, const exec::ProfileRow& b) { return a.seconds > b.seconds; });
  // What an evaluation does before and after its Program runs: binding, reading the output.
  const double interpreter = sums.interpreter_seconds + spans_.evaluate - sums.seconds;
  report.others = {{.direction = "conversions", .seconds = sums.convert_seconds, .bytes = sums.convert_bytes},
                   {.direction = "update", .seconds = spans_.update + sums.update_seconds},
                   {.direction = "data wait", .seconds = spans_.data},
                   {.direction = "interpreter", .seconds = interpreter},
                   {.direction = "progress and metrics", .seconds = observer_}};
  const double share = 1 / static_cast<double>(report.steps);
  for (auto* list : {&report.rows, &report.others})
    for (exec::ProfileRow& row : *list) {
      row.seconds *= share;
      row.flops *= share;
      row.bytes *= share;
    }
}

void Profiler::add_timeline(ProfileReport& report) {
  const int threads = report.machine.threads;
  report.timeline.tracks = {"training thread",
                            base::str("compute team of ", threads, threads == 1 ? " thread" : " threads")};
  for (const exec::ClockedRun& run : runs_) {
    if (events_.size() + run.program->steps.size() > kMostSpans) break;
    exec::append_spans(run, kFirstQueue, events_);
    ++report.steps_in_timeline;
  }
  report.timeline.events = std::move(events_);
}

ProfileReport Profiler::finish(const machine::Machine& machine) {
  take_spans(/*inside=*/false);
  objective_.clock_runs(nullptr);
  ProfileReport report{.steps = steps_, .machine = machine};
  // A run that was stopped within a step has clocked more than was reported.
  CONVOY_CHECK(std::ssize(runs_) >= steps_, runs_.size(), " runs in ", steps_, " steps");
  runs_.resize(static_cast<std::size_t>(steps_));
  if (steps_ == 0) return report;
  report.first_step = window_begin_ + 1;
  report.step_seconds = wall_ / static_cast<double>(steps_);
  add_rows(report);
  add_timeline(report);
  return report;
}

}  // namespace convoy::run
