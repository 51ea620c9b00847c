// Imported models, run as `convoy predict` runs them.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "convoy/exec/graph_objective.h"
#include "convoy/onnx/import.h"
#include "convoy/train/param_store.h"

namespace convoy::testing {

// A graph with its weights under a plan by nominal figures, with one thread.
class OnnxRun {
 public:
  OnnxRun(const graph::Graph& graph, const onnx::Weights& weights);

  // The outputs of `n` samples. In training, forward as a step does, after which next_state() holds the state
  // that the step would leave.
  std::vector<float> outputs(std::span<const float> samples, std::int64_t n, bool training = false);
  double loss(std::span<const float> samples, std::span<const std::int32_t> labels);
  // Of a segment, by name.
  std::vector<float> next_state(const std::string& segment);

 private:
  tensor::Batch batch(std::span<const float> samples, std::int64_t n) const;

  graph::Graph graph_;
  std::unique_ptr<exec::GraphObjective> objective_;
  std::unique_ptr<train::ParamStore> store_;
};

}  // namespace convoy::testing
