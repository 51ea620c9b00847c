// Interprets a Program: runs its steps in order over real memory. Decides nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "convoy/graph/layer_kind.h"
#include "convoy/kernels/catalog.h"
#include "convoy/optim/objective.h"
#include "convoy/plan/program.h"

namespace convoy::exec {

// Seconds spent in each step of one Program, summed over runs.
struct StepTimes {
  std::vector<double> seconds;  // by step
  double total = 0;             // of whole runs, the interpreter's own share included
  std::int64_t runs = 0;
  std::vector<double> readings;  // of the steady clock in the last run: its begin, then each step's end
};

// What a run needs from outside. Pointers are to plain arrays of the Program's type and shapes.
struct Bindings {
  const void* input = nullptr;
  const std::int32_t* labels = nullptr;
  optim::ParamSource* params = nullptr;
  optim::GradientSink* gradients = nullptr;  // required by a gradient Program
  optim::StateSink* state = nullptr;         // required where the Program writes state
  graph::EvalContext context;
};

// A Program made ready: kernels prepared, memory allocated. One run at a time.
class Executor {
 public:
  // Requires a Program that plan::verify accepts. The thread count is the caller's, and stays so.
  Executor(plan::Program program, const kernels::Catalog& catalog);
  ~Executor();
  Executor(Executor&&) noexcept;

  const plan::Program& program() const;

  // Runs all steps. Allocates nothing. With `times`, clocks every step (about 50 ns each).
  void run(const Bindings& bindings, StepTimes* times);

  // The loss, and the output in plain layout; valid until the next run.
  double loss() const;
  const void* output() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoy::exec
