// The whole net by the definition: layer after layer in float64, without lowering, plans or kernels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "convoy/base/rng.h"
#include "convoy/graph/graph.h"

namespace convoy::testing {

// One evaluation's arguments. Segments are plain float64, in ParamLayout order, state included.
struct NetInput {
  std::vector<std::vector<double>> segments;
  std::vector<double> samples;  // n × sample
  std::vector<std::int32_t> labels;
  std::int64_t n = 1;
  std::int64_t global_batch = 1;
  base::StepKey key;
};

struct NetResult {
  double loss = 0;
  std::vector<double> output;
  std::vector<std::vector<double>> gradients;   // by segment; zeros where none arrives; state: empty
  std::vector<std::vector<double>> next_state;  // by segment; parameters: empty
  bool fits_bf16 = true;  // every value and every partial sum of a value's gradient is a bf16 number
};

// Loss, output and, when training, all gradients and next states, by LayerKind::forward and backward alone.
// A value's gradient is the sum over its readers, last reader first.
NetResult evaluate_reference(const graph::Graph& graph, const NetInput& input, bool training);

}  // namespace convoy::testing
