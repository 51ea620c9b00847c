// Training strategies: loops over an objective, a store, a rule, batches, a clock and a transport. They know
// no graph, no kernel and no plan.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "convoy/base/clock.h"
#include "convoy/base/stop.h"
#include "convoy/base/trace.h"
#include "convoy/comm/transport.h"
#include "convoy/data/batch_source.h"
#include "convoy/optim/objective.h"
#include "convoy/optim/schedule.h"
#include "convoy/optim/update_rule.h"
#include "convoy/train/param_store.h"

namespace convoy::train {

// What an observer learns after each step; cheap to make.
struct StepReport {
  std::int64_t step = 0;   // steps done, 1 after the first
  std::int64_t epoch = 0;  // of this step, from 0
  double loss = 0;         // mean over the step's global batch
  double learning_rate = 0;
  std::int64_t samples = 0;  // of this step, global
  std::int64_t correct = 0;
  double seconds = 0;  // of this step
};

// Follows a run. All calls come from the training thread.
struct Observer {
  std::function<void(const StepReport&)> on_step;
  // After the last step of an epoch and before its checkpoint: evaluation hooks in here.
  std::function<void(std::int64_t epoch)> on_epoch;
};

// Saves the run as it stands after `step` updates. Owned by the caller.
class Checkpointer {
 public:
  virtual ~Checkpointer() = default;
  virtual void save(std::int64_t step) = 0;
};

struct StrategyConfig {
  std::int64_t first_step = 0;  // > 0 when resumed
  std::int64_t total_steps = 0;
  std::int64_t checkpoint_every_steps = 0;  // 0: at the end of epochs and of the run only
  std::uint64_t seed = 1;
  optim::Schedule schedule;
  double weight_decay = 0;  // of weights; biases, scales and shifts have none
};

// Everything a strategy may use. References outlive the run; checkpointer and trace may be null.
struct Collaborators {
  optim::Objective& objective;
  ParamStore& store;
  const optim::UpdateRule& rule;
  data::BatchSource& batches;
  base::Clock& clock;
  comm::Transport& transport;
  base::StopToken& stop;
  Observer observer;
  Checkpointer* checkpointer = nullptr;
  base::TraceRecorder* trace = nullptr;
};

struct Outcome {
  enum class End : std::uint8_t { done, interrupted } end = End::done;
  std::int64_t steps = 0;  // updates applied since the start of training
  double last_loss = 0;
};

class Strategy {
 public:
  virtual ~Strategy() = default;
  // Trains until total_steps or a stop request, which ends after the current step with a checkpoint.
  // Checkpoints are saved at the end of the run, of each epoch, every checkpoint_every_steps and on request.
  // Deterministic as far as objective, rule and batches are: a run that is resumed from a checkpoint ends
  // with the bits of an unbroken one. Throws base::DivergedError at the first loss that is not finite, before
  // it spoils the store, and instead of saving weights that are not finite; UsageError for a world size that
  // the strategy does not serve; and whatever the collaborators throw.
  virtual Outcome run(const StrategyConfig& config, Collaborators& collaborators) = 0;
};

// One line of the catalog (train/catalog.cc).
struct StrategyKind {
  std::string_view name;
  std::string_view description;
  std::unique_ptr<Strategy> (*make)();
};
std::span<const StrategyKind> strategy_catalog();

}  // namespace convoy::train
