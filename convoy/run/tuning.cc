#include "convoy/run/tuning.h"

#include <memory>
#include <utility>

#include "convoy/base/clock.h"
#include "convoy/base/error.h"
#include "convoy/base/threads.h"
#include "convoy/run/assemble.h"
#include "convoy/tune/probe.h"

namespace convoy::run {
namespace {

// Sets base's thread count for one scope.
class TeamScope {
 public:
  TeamScope() = default;
  ~TeamScope() { base::set_thread_count(before_); }
  TeamScope(const TeamScope&) = delete;
  TeamScope& operator=(const TeamScope&) = delete;

 private:
  int before_ = base::thread_count();
};

// Times team after team and sums up.
class Session {
 public:
  Session(const RunConfig& config, PlanningBasis& basis, const TuningOptions& options)
      : again_(config.tune == "force"), basis_(basis), options_(options) {
    result_.path = basis.cache().path();
  }

  // For the calling thread's team.
  void time(const std::vector<tune::TuneTarget>& targets) {
    if (targets.empty()) return;
    const int threads = base::thread_count();
    tune::Cache& cache = basis_.cache();
    if (options_.probe && (again_ || !cache.machine(threads))) cache.put(tune::probe_machine(threads));
    const machine::Machine machine = basis_.costs(threads).machine;
    tune::Tuning tuning{.machine = machine, .cache = cache, .clock = *clock_, .stop = options_.stop};
    tuning.config.again = again_;
    if (options_.on_progress)
      tuning.on_progress = [&](const auto& progress) { options_.on_progress(progress, threads); };
    result_.teams.push_back({threads, tune::tune(targets, tuning)});
    for (const tune::TuneRow& row : result_.teams.back().rows)
      result_.timed += row.state == tune::TuneRow::State::timed;
  }

  TuningResult finish() {
    basis_.cache().store(again_);
    result_.seconds = clock_->now() - begin_;
    return std::move(result_);
  }

 private:
  bool again_;
  PlanningBasis& basis_;
  const TuningOptions& options_;
  std::unique_ptr<base::Clock> clock_ = base::make_steady_clock();
  double begin_ = clock_->now();
  TuningResult result_;
};

}  // namespace

TuningResult tune_model(const graph::Graph& graph, const RunConfig& config, PlanningBasis& basis,
                        const TuningOptions& options) {
  require_loss(graph);
  const TeamScope restore;
  Session session(config, basis, options);
  const plan::PlanRequest request = plan_request(config);
  const plan::Analysis analysis(graph, training_step(config));
  for (const int threads : candidate_teams(graph, config, true)) {
    base::set_thread_count(threads);
    const auto targets = tune::tune_targets(analysis, request, kernels::catalog());
    if (!targets) throw base::UsageError(targets.reason().text);
    session.time(*targets);
  }
  return session.finish();
}

TuningResult tune_problems(const std::vector<NamedProblem>& problems, const RunConfig& config,
                           PlanningBasis& basis, const TuningOptions& options) {
  const TeamScope restore;
  Session session(config, basis, options);
  base::set_thread_count(resolve_threads(config));
  const plan::PlanRequest request = plan_request(config);
  std::vector<tune::TuneTarget> targets;
  for (const NamedProblem& named : problems) {
    tune::TuneTarget target = tune::tune_target(named.name, named.problem, request, kernels::catalog());
    if (target.candidates.empty())
      throw base::UsageError(base::str(
          named.name, ", ", kernels::name(named.problem.pass), ": ",
          target.refused.empty() ? "no such convolution algorithm" : target.refused.front().reason));
    targets.push_back(std::move(target));
  }
  session.time(targets);
  return session.finish();
}

}  // namespace convoy::run
