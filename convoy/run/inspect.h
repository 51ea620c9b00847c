// What a model is and costs, without running it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "convoy/graph/graph.h"
#include "convoy/graph/work_depth.h"
#include "convoy/kernels/kernel.h"
#include "convoy/plan/memory.h"
#include "convoy/run/algorithms.h"
#include "convoy/run/config.h"
#include "convoy/run/planning.h"

namespace convoy::run {

struct LayerReport {
  std::string name, op, output_shape, attributes, kernels;
  std::int64_t parameters = 0;
  std::int64_t macs = 0;          // of one sample, forward
  graph::WorkDepth forward;       // of one sample
  std::int64_t output_bytes = 0;  // of one sample
};

// Training memory by part, and what is known of its largest; bytes.
struct MemoryReport : plan::TrainingMemory {
  std::int64_t arena_unshared = 0;        // what the arena's arrays would take without sharing
  std::int64_t activation_gradients = 0;  // ∇D: this part of arena_unshared
  std::int64_t workspace = 0;  // the largest scratch, and what forward saves for backward; in the arena
};

// A training step where the net stands in one family of layouts.
struct FamilyReport {
  std::string name;
  double seconds = 0;
};

struct InspectReport {
  std::string model;
  std::string input_shape;
  std::int64_t batch = 0;
  std::int64_t parameters = 0;
  std::int64_t macs = 0;              // of one sample, forward
  graph::WorkDepth forward_of_one;    // the network's: the longest path, no sum of depths
  graph::WorkDepth forward, step;     // of the batch; a training step, without the update
  std::int64_t activation_bytes = 0;  // of one sample, float32, every value once
  std::vector<LayerReport> layers;
  MemoryReport memory;
  RecomputationReport recomputation;
  double predicted_step_seconds = 0;
  std::string graph_text, plan_text, program_text;
  std::vector<AlgorithmReport> algorithms;  // of the convolutions
  std::vector<FamilyReport> families;
  std::vector<std::string> passed_over;  // refusals: "conv1 forward: onednn/blocked: reason"
};

// Builds the config's model (for its data set's shape unless the data is unknown), resolves the plan and
// lowers the training step, for the thread count that it sets as training would, by the times that the tuning
// cache has; measures nothing. Throws UsageError.
InspectReport inspect(const RunConfig& config);

}  // namespace convoy::run
