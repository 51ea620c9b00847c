// A planned graph as an Objective: what training sees of a network.
#pragma once

#include <memory>
#include <vector>

#include "convoy/exec/executor.h"
#include "convoy/graph/graph.h"
#include "convoy/kernels/catalog.h"
#include "convoy/optim/objective.h"
#include "convoy/plan/plan.h"

namespace convoy::exec {

struct GraphObjectiveConfig {
  tensor::DType type = tensor::DType::f32;  // of parameters, activations and gradients
  bool bf16 = false;                        // plan::StepConfig's
  bool profile = false;                     // clock every step
};

// One evaluation, clocked step by step.
struct ClockedRun {
  const plan::Program* program = nullptr;  // valid as long as the objective
  std::vector<double> readings;            // as in StepTimes
};

// Lowers the graph under the plan once a (mode, batch size) and runs the Programs. Every Program is proved by
// plan::verify before its first run.
class GraphObjective : public optim::Objective {
 public:
  // The Program that serves this mode and batch; lowered on first use. Throws UsageError where the plan does
  // not fit, with the reason.
  virtual const plan::Program& program(plan::StepConfig::Mode mode, std::int64_t batch) = 0;
  // Clocked steps of that Program so far; empty without `profile`.
  virtual const StepTimes& times(plan::StepConfig::Mode mode, std::int64_t batch) = 0;
  // From now on clocks every evaluation of Mode::gradient and appends it to `runs`, which must outlive that;
  // null: stops. An evaluation that is not clocked pays nothing.
  virtual void clock_runs(std::vector<ClockedRun>* runs) = 0;
};

// `graph` and `plan` are copied; `catalog` must outlive the objective.
std::unique_ptr<GraphObjective> make_graph_objective(const graph::Graph& graph, const plan::Plan& plan,
                                                     const GraphObjectiveConfig& config,
                                                     const kernels::Catalog& catalog);

}  // namespace convoy::exec
