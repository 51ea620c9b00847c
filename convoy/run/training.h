// Training from a RunConfig: the C++ API that `convoy train` uses as well.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "convoy/base/stop.h"
#include "convoy/graph/graph.h"
#include "convoy/run/algorithms.h"
#include "convoy/run/config.h"
#include "convoy/run/planning.h"
#include "convoy/run/profiling.h"
#include "convoy/train/evaluate.h"
#include "convoy/train/strategy.h"
#include "convoy/tune/tuner.h"

namespace convoy::run {

// What is known once everything is assembled and before the first step.
struct Prelude {
  std::string run_directory;
  std::string model;
  std::int64_t parameters = 0;
  std::int64_t macs = 0;  // multiply-accumulates of one sample, forward
  std::int64_t train_size = 0, test_size = 0;
  std::int64_t steps_per_epoch = 0, total_steps = 0, first_step = 0;
  int threads = 1;
  double predicted_step_seconds = 0;
  std::string plan;
  std::vector<AlgorithmReport> algorithms;  // of the convolutions
  RecomputationReport recomputation;        // of a plan that is made anew
  std::vector<std::string> notes;  // what the user should know: absent data files, a resumed checkpoint
};

struct EpochReport {
  std::int64_t epoch = 0;  // from 0
  double train_loss = 0, train_accuracy = 0;
  double test_loss = 0, test_accuracy = 0;
  double seconds = 0;            // since the start of training
  double images_per_second = 0;  // of the epoch's training steps
  bool has_accuracy = true;      // false: the model learns without labels
};

// Follows a run; every member may be empty. Calls come from the calling thread.
struct RunObserver {
  // While kernels are timed, before the start.
  std::function<void(const tune::TuneProgress&, int threads)> on_tune;
  std::function<void(const Prelude&)> on_start;
  std::function<void(const train::StepReport&)> on_step;
  std::function<void(const EpochReport&)> on_epoch;
};

struct TrainResult {
  train::Outcome outcome;
  std::string run_directory;
  std::string checkpoint;  // the last one written
  bool tested = false;     // false: stopped before the first epoch was over, and the next three are empty
  double test_loss = 0, test_accuracy = 0;
  std::vector<std::vector<std::int64_t>>
      confusion;  // [label][prediction]; empty without labels, and accuracy 0
  std::vector<std::string> class_names;
  std::int64_t epochs = 0;  // finished
  double seconds = 0;       // of training steps and checkpoints, evaluation left out
  double images_per_second = 0;
  double data_wait_seconds = 0;   // of training steps
  std::int64_t bad_examples = 0;  // passed over: see RunConfig::max_bad
  std::int64_t peak_memory_bytes = 0;
  std::optional<ProfileReport> profile;  // where the config asks for one
};

// Trains `graph` as the config says: opens the data, resolves the plan (or takes the checkpoint's; for a new
// one it times the convolutions that the tuning cache does not know, unless --tune is off), creates
// and locks the run directory, writes config.toml, env.json, metrics.jsonl and checkpoints into it, trains,
// and evaluates on the test split after every epoch. A profile is given back, not written. Ends early, with a
// checkpoint, when `stop` asks for it. Throws base::Error as error.h lists; what is on disk is then the last
// good state.
TrainResult train(const graph::Graph& graph, const ResolvedConfig& config, const RunObserver& observer,
                  base::StopToken& stop);

// The same for the config's model: of the catalog, built for the data set's shape and classes, or of an ONNX
// file, whose weights training then goes on from; UsageError or InputError if it cannot.
TrainResult train(const ResolvedConfig& config, const RunObserver& observer, base::StopToken& stop);

}  // namespace convoy::run
