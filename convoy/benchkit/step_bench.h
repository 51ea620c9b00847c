// How fast a model of the catalog trains, and where the time of a step goes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "convoy/graph/graph.h"
#include "convoy/plan/plan.h"
#include "convoy/run/config.h"

namespace convoy::benchkit {

struct StepBenchConfig {
  run::RunConfig run;  // model, data (for the shape of a sample), batch, rule and its settings, seed, plan
  // The most threads a plan may use; it gets fewer where that is predicted to be faster. run.threads is not
  // read.
  int threads = 1;
  // Weight decay of biases as well, as PyTorch's optimisers have it unless told otherwise.
  bool decay_biases = false;
  // Train on run.data's examples, loaded and augmented as `convoy train` does, instead of one synthetic
  // batch.
  bool real_data = false;
};

// Consecutive training steps, timed one by one from the end of the step before.
struct Window {
  std::vector<double> step_seconds;
  double last_loss = 0;

  double total_seconds() const;
};

// Shares of the time of training steps; together 1.
struct TimeShares {
  double kernels = 0;  // compute, fills and sums
  double convert = 0;  // changes of layout
  double update = 0;   // the update rule
  double data = 0;     // waiting for the batch
  double interpreter =
      0;  // all the rest: binding and dispatching steps, the loop of the strategy, the clocks
};

// One model in training on one fixed synthetic batch, or on real ones, by the strategy `sync`. Windows
// continue one training run, which does not end in this object's life. Not thread-safe.
class StepBench {
 public:
  virtual ~StepBench() = default;
  virtual const graph::Graph& graph() const = 0;
  virtual const plan::Plan& plan() const = 0;
  virtual double predicted_step_seconds() const = 0;
  // Floating-point operations of a step's kernels by definition, not as some algorithm saves or adds them.
  virtual double flops_per_step() const = 0;

  // Trains for at least `seconds` and at least three steps. Throws DivergedError.
  virtual Window measure(double seconds) = 0;
  // The same with every step of the Program clocked, which slows small steps: shares only.
  virtual TimeShares profile(double seconds) = 0;
};

// Plans, allocates and initialises, and warms up by ten steps. Sets base's thread count to the plan's. Throws
// UsageError for a model, data set, rule or plan that there is not.
std::unique_ptr<StepBench> make_step_bench(const StepBenchConfig& config);

}  // namespace convoy::benchkit
