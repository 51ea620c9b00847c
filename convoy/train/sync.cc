// Synchronous stochastic gradient descent.
#include <fmt/core.h>

#include <array>
#include <cmath>
#include <string>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/optim/step_updater.h"
#include "convoy/train/finite.h"
#include "convoy/train/strategies.h"

namespace convoy::train {
namespace {

using base::DivergedError;
using base::UsageError;

// Records a span from its making to its end, where anybody records.
class Span {
 public:
  Span(Collaborators& with, const char* name, const char* category)
      : with_(with), name_(name), category_(category), begin_(with.trace ? with.clock.now() : 0) {}
  ~Span() {
    if (with_.trace)
      with_.trace->record(
          {.name = name_, .category = category_, .begin = begin_, .end = with_.clock.now(), .track = 0});
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  Collaborators& with_;
  const char* name_;
  const char* category_;
  double begin_;
};

// One call of Strategy::run.
class Run {
 public:
  Run(const StrategyConfig& config, Collaborators& with)
      : config_(config), with_(with), steps_per_epoch_(with.batches.steps_per_epoch()) {
    CONVOY_CHECK(steps_per_epoch_ >= 1, steps_per_epoch_, " steps an epoch");
    CONVOY_CHECK(config.first_step >= 0 && config.checkpoint_every_steps >= 0, "first step ",
                 config.first_step, ", checkpoint every ", config.checkpoint_every_steps);
    CONVOY_CHECK(with.rule.slot_count() == with.store.slot_count(), with.rule.name(), " needs ",
                 with.rule.slot_count(), " slots, the store has ", with.store.slot_count());
    updater_ = optim::make_step_updater(with.rule, arenas(), with.store.gradient_sink());
  }

  Outcome run() {
    Outcome outcome{.end = Outcome::End::done, .steps = config_.first_step, .last_loss = 0};
    while (outcome.steps < config_.total_steps && !with_.stop.stop_requested()) {
      outcome.last_loss = step(outcome.steps);
      ++outcome.steps;
      finish_step(outcome.steps);
    }
    if (outcome.steps < config_.total_steps) outcome.end = Outcome::End::interrupted;
    save(outcome.steps);
    return outcome;
  }

 private:
  // One update; returns the loss before it.
  double step(std::int64_t t) {
    const double begin = with_.clock.now(), rate = config_.schedule.rate(t);
    updater_->begin(rate, t);
    const tensor::Batch batch = next_batch(t);
    const optim::Evaluation found = evaluate(t, batch);
    if (!std::isfinite(found.loss))
      throw DivergedError(
          fmt::format("the loss is {} at step {} (epoch {}) with learning rate {:.4g}; lower the rate or "
                      "warm it up, and go on from the last checkpoint",
                      std::isnan(found.loss) ? "nan" : "infinite", t + 1, t / steps_per_epoch_, rate));
    update();
    if (with_.observer.on_step)
      with_.observer.on_step({.step = t + 1,
                              .epoch = t / steps_per_epoch_,
                              .loss = found.loss,
                              .learning_rate = rate,
                              .samples = batch.global_size,
                              .correct = found.correct,
                              .seconds = with_.clock.now() - begin});
    return found.loss;
  }

  tensor::Batch next_batch(std::int64_t t) {
    const Span span(with_, "batch", "data");
    return with_.batches.batch(t);
  }

  optim::Evaluation evaluate(std::int64_t t, const tensor::Batch& batch) {
    const Span span(with_, "evaluate", "evaluate");
    return with_.objective.evaluate(
        with_.store.source(), batch, {.seed = config_.seed, .step = t, .first_sample = 0},
        {.gradients = &updater_->sink(), .state = &with_.store.state_sink(), .outputs = {}},
        optim::Mode::gradient);
  }

  optim::ArenaUpdate arenas() {
    optim::ArenaUpdate update{.layout = with_.store.layout(),
                              .weights = with_.store.parameters(),
                              .gradients = with_.store.gradients(),
                              .slots = {},
                              .weight_decay = config_.weight_decay};
    for (int s = 0; s < with_.store.slot_count(); ++s)
      update.slots[static_cast<std::size_t>(s)] = with_.store.slot(s);
    return update;
  }

  // What the evaluation did not update already, piece by piece.
  void update() {
    const Span span(with_, "update", "update");
    updater_->finish();
    with_.store.commit();
  }

  // What follows an update: the end of an epoch, and a checkpoint where one is due.
  void finish_step(std::int64_t done) {
    const bool epoch_ends = done % steps_per_epoch_ == 0;
    if (epoch_ends && with_.observer.on_epoch) with_.observer.on_epoch(done / steps_per_epoch_ - 1);
    const bool cadence_ends =
        config_.checkpoint_every_steps > 0 && done % config_.checkpoint_every_steps == 0;
    const bool requested = with_.stop.take_checkpoint_request();
    if (epoch_ends || cadence_ends || requested) save(done);
  }

  void save(std::int64_t done) {
    if (with_.checkpointer == nullptr || saved_at_ == done) return;
    const Span span(with_, "checkpoint", "checkpoint");
    // A gradient can overflow where the loss does not; the next loss would tell, but too late for this save.
    if (const std::string bad = describe_non_finite(with_.store); !bad.empty())
      throw DivergedError(fmt::format(
          "{} after step {}; lower the learning rate, and go on from the last checkpoint", bad, done));
    with_.checkpointer->save(done);
    saved_at_ = done;
  }

  const StrategyConfig& config_;
  Collaborators& with_;
  std::int64_t steps_per_epoch_;
  std::unique_ptr<optim::StepUpdater> updater_;
  std::int64_t saved_at_ = -1;  // step of the last checkpoint of this run
};

class SyncStrategy final : public Strategy {
 public:
  Outcome run(const StrategyConfig& config, Collaborators& with) override {
    if (with.transport.world_size() != 1)
      throw UsageError(fmt::format(
          "the strategy sync trains on one rank in this version, not on {}: it has no allreduce yet; "
          "start a single process",
          with.transport.world_size()));
    return Run(config, with).run();
  }
};

}  // namespace

StrategyKind sync_kind() {
  return {"sync", "synchronous SGD: each step uses the gradient of the whole minibatch at the newest weights",
          [] { return std::unique_ptr<Strategy>(std::make_unique<SyncStrategy>()); }};
}

}  // namespace convoy::train
