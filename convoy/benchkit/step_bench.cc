#include "convoy/benchkit/step_bench.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "convoy/base/check.h"
#include "convoy/base/clock.h"
#include "convoy/base/error.h"
#include "convoy/base/threads.h"
#include "convoy/data/synthetic_source.h"
#include "convoy/exec/graph_objective.h"
#include "convoy/exec/profile.h"
#include "convoy/kernels/cost.h"
#include "convoy/run/assemble.h"
#include "convoy/run/feed.h"
#include "convoy/run/initialise.h"
#include "convoy/run/planning.h"
#include "convoy/run/segment_codec.h"
#include "convoy/train/strategy.h"

namespace convoy::benchkit {
namespace {

using GradientMode = plan::StepConfig::Mode;

constexpr std::int64_t kWarmUpSteps = 10;
constexpr std::int64_t kLeastSteps = 3;

plan::Resolution choose_plan(const graph::Graph& graph, const StepBenchConfig& config) {
  run::RunConfig request = config.run;
  request.threads = config.threads;
  plan::Resolution best = run::choose_plan(graph, request);
  if (config.threads == 1) return best;
  request.threads = 1;
  plan::Resolution alone = run::choose_plan(graph, request);
  if (alone.predicted_seconds < best.predicted_seconds) std::swap(alone, best);
  base::set_thread_count(best.plan.threads);
  return best;
}

std::unique_ptr<optim::UpdateRule> make_rule(const run::RunConfig& config) {
  auto rule = optim::make_update_rule(config.optimizer, run::update_config(config));
  if (!rule) throw base::UsageError(base::str("--optimizer: ", rule.reason().text));
  return std::move(rule).value();
}

std::unique_ptr<train::Strategy> make_sync() {
  for (const train::StrategyKind& kind : train::strategy_catalog())
    if (kind.name == "sync") return kind.make();
  CONVOY_CHECK(false, "no strategy sync");
}

// Which segments decay depends on their role alone, and nothing else does.
tensor::ParamLayout decayed_layout(tensor::ParamLayout layout, bool decay_biases) {
  if (decay_biases)
    for (tensor::Segment& segment : layout.segments) segment.role = tensor::ParamRole::weight;
  return layout;
}

std::unique_ptr<data::BatchSource> make_batches(const graph::Graph& graph, const StepBenchConfig& bench,
                                                std::int64_t classes) {
  const run::RunConfig& config = bench.run;
  if (bench.real_data)
    return data::make_loader(run::open_split(config, data::Split::train), run::loader_config(config));
  return data::make_synthetic_source({.sample_shape = graph.input_shape(),
                                      .classes = classes,
                                      .batch_size = config.batch,
                                      .seed = config.seed});
}

// Seconds by kind of step, over the runs of one Program so far.
struct KindSeconds {
  double kernels = 0, convert = 0, update = 0;
};

KindSeconds by_kind(const plan::Program& program, const exec::StepTimes& times) {
  KindSeconds sums;
  for (std::size_t i = 0; i < times.seconds.size(); ++i) {
    const exec::StepClass what = exec::classify(program.steps[i].kind);
    if (what == exec::StepClass::kernel) sums.kernels += times.seconds[i];
    if (what == exec::StepClass::convert) sums.convert += times.seconds[i];
    if (what == exec::StepClass::update) sums.update += times.seconds[i];
  }
  return sums;
}

class Bench final : public StepBench {
 public:
  explicit Bench(const StepBenchConfig& config)
      : config_(config),
        graph_(run::build_configured_model(config.run)),
        resolution_(choose_plan(graph_, config)),
        rule_(make_rule(config.run)),
        objective_(make_objective(/*profile=*/false)),
        layout_(decayed_layout(objective_->layout(), config.decay_biases)),
        store_(train::make_local_store({.layout = layout_,
                                        .slot_count = rule_->slot_count(),
                                        .initial_slot_value = rule_->initial_slot_value(),
                                        .codec = run::make_segment_codec()})),
        batches_(make_batches(graph_, config, objective_->output_count())),
        transports_(comm::make_inproc_group(1)),
        strategy_(make_sync()) {
    run::initialise_store(graph_, config.run.seed, *store_);
    train(*objective_, {.steps = kWarmUpSteps}, nullptr);
  }

  const graph::Graph& graph() const override { return graph_; }
  const plan::Plan& plan() const override { return resolution_.plan; }
  double predicted_step_seconds() const override { return resolution_.predicted_seconds; }

  double flops_per_step() const override {
    const plan::Program& program = objective_->program(GradientMode::gradient, config_.run.batch);
    double flops = 0;
    for (const plan::Step& step : program.steps)
      if (step.kind == plan::StepKind::compute)
        flops += kernels::pass_flops(program.kernels[static_cast<std::size_t>(step.kernel)].problem);
    return flops;
  }

  Window measure(double seconds) override {
    return train(*objective_, {.seconds = seconds, .steps = kLeastSteps}, nullptr);
  }

  TimeShares profile(double seconds) override {
    if (!profiled_) {
      profiled_ = make_objective(/*profile=*/true);
      train(*profiled_, {.steps = kWarmUpSteps}, nullptr);
    }
    const KindSeconds before = clocked();
    Spans spans;
    const double total =
        train(*profiled_, {.seconds = seconds, .steps = kLeastSteps}, &spans).total_seconds();
    const KindSeconds after = clocked();
    TimeShares shares{.kernels = (after.kernels - before.kernels) / total,
                      .convert = (after.convert - before.convert) / total,
                      .update = (spans.update + after.update - before.update) / total,
                      .data = spans.data / total};
    shares.interpreter = 1 - shares.kernels - shares.convert - shares.update - shares.data;
    return shares;
  }

 private:
  // A window ends when both are reached.
  struct Length {
    double seconds = 0;
    std::int64_t steps = 0;
  };

  // Seconds by category of the strategy's spans.
  struct Spans {
    double update = 0, data = 0;
  };

  std::unique_ptr<exec::GraphObjective> make_objective(bool profile) const {
    return exec::make_graph_objective(graph_, resolution_.plan,
                                      {.bf16 = run::uses_bf16(config_.run), .profile = profile},
                                      kernels::catalog());
  }

  KindSeconds clocked() {
    return by_kind(profiled_->program(GradientMode::gradient, config_.run.batch),
                   profiled_->times(GradientMode::gradient, config_.run.batch));
  }

  static void add_spans(base::TraceRecorder& trace, Spans& spans) {
    for (const base::TraceEvent& event : trace.events()) {
      if (event.category == "update") spans.update += event.end - event.begin;
      if (event.category == "data") spans.data += event.end - event.begin;
    }
    trace.clear();
  }

  Window train(optim::Objective& objective, const Length& length, Spans* spans) {
    Window window;
    base::StopToken stop;
    base::TraceRecorder trace;
    double begin = 0, last = 0;
    const auto on_step = [&](const train::StepReport& report) {
      const double end = clock_->now();
      window.step_seconds.push_back(end - last);
      last = end;
      if (spans != nullptr) add_spans(trace, *spans);
      if (end - begin >= length.seconds && std::ssize(window.step_seconds) >= length.steps)
        stop.request_stop(1);
      window.last_loss = report.loss;
    };
    train::Collaborators with{.objective = objective,
                              .store = *store_,
                              .rule = *rule_,
                              .batches = *batches_,
                              .clock = *clock_,
                              .transport = *transports_[0],
                              .stop = stop,
                              .observer = {.on_step = on_step},
                              .trace = spans != nullptr ? &trace : nullptr};
    const train::StrategyConfig strategy{.first_step = step_,
                                         .total_steps = std::numeric_limits<std::int64_t>::max(),
                                         .seed = config_.run.seed,
                                         .schedule = {.base_rate = config_.run.learning_rate},
                                         .weight_decay = config_.run.weight_decay};
    begin = last = clock_->now();
    step_ = strategy_->run(strategy, with).steps;
    return window;
  }

  StepBenchConfig config_;
  graph::Graph graph_;
  plan::Resolution resolution_;
  std::unique_ptr<optim::UpdateRule> rule_;
  std::unique_ptr<exec::GraphObjective> objective_;
  std::unique_ptr<exec::GraphObjective> profiled_;  // made when first asked for: it has an arena of its own
  tensor::ParamLayout layout_;
  std::unique_ptr<train::ParamStore> store_;
  std::unique_ptr<data::BatchSource> batches_;
  std::vector<std::unique_ptr<comm::Transport>> transports_;
  std::unique_ptr<train::Strategy> strategy_;
  std::unique_ptr<base::Clock> clock_ = base::make_steady_clock();
  std::int64_t step_ = 0;
};

}  // namespace

double Window::total_seconds() const {
  return std::accumulate(step_seconds.begin(), step_seconds.end(), 0.0);
}

std::unique_ptr<StepBench> make_step_bench(const StepBenchConfig& config) {
  CONVOY_CHECK(config.threads >= 1, config.threads, " threads");
  return std::make_unique<Bench>(config);
}

}  // namespace convoy::benchkit
