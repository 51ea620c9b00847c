// What lowering and planning must know of a graph and a step before they place anything.
#pragma once

#include <vector>

#include "convoy/graph/graph.h"
#include "convoy/kernels/kernel.h"
#include "convoy/plan/program.h"

namespace convoy::plan {

// Answers questions about one graph in one step configuration. Borrows the graph.
class Analysis {
 public:
  Analysis(const graph::Graph& graph, const StepConfig& config);

  const graph::Graph& graph() const { return graph_; }
  const StepConfig& config() const { return config_; }
  const graph::Shapes& shapes() const { return shapes_; }

  // Whether the layer influences what the mode returns.
  bool needed(int layer) const { return needed_[static_cast<std::size_t>(layer)]; }
  // Whether the step must compute the value's gradient: it depends on a parameter and influences the loss.
  bool differentiated(graph::ValueId value) const { return differentiated_[static_cast<std::size_t>(value)]; }

  // Whether the gradient of the layer's output is that of each of its inputs as it is: a sum of equal shapes.
  bool passes_gradient_on(int layer) const;

  // The passes that need a kernel, forward first, in the order in which they run. None for a view.
  std::vector<kernels::Pass> passes(int layer) const;
  // The problem that a pass of the layer poses, as a choice of `family` and `bf16` has it solved.
  kernels::Problem problem(int layer, kernels::Pass pass,
                           kernels::LayoutFamily family = kernels::LayoutFamily::plain,
                           bool bf16 = false) const;
  // The layer whose epilogue could apply this Relu (its only reader), or -1.
  int fusion_producer(int layer) const;
  // Index within the ParamLayout of the layer's first segment.
  int first_segment(int layer) const { return first_segment_[static_cast<std::size_t>(layer)]; }

 private:
  void find_needed();
  void find_differentiated();

  const graph::Graph& graph_;
  StepConfig config_;
  graph::Shapes shapes_;
  std::vector<bool> needed_;
  std::vector<bool> differentiated_;
  std::vector<int> first_segment_;
};

}  // namespace convoy::plan
