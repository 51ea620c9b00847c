// Sum: the sum of any number of inputs, element by element; sizes of 1 repeat.
// Source: ONNX operator Sum-13. The inputs have the same number of dimensions and the same batch.
#include "convoy/layers/broadcast.h"
#include "convoy/layers/catalog.h"

namespace convoy::layers {
namespace {

std::vector<graph::LayerSample> samples() {
  return {{"three", {}, {{2, 3, 4}, {2, 3, 4}, {2, 3, 4}}},
          {"one", {}, {{3, 5}}},
          {"repeating", {}, {{2, 3, 1}, {2, 1, 4}, {2, 1, 1}, {2, 3, 4}}},
          {"batch 1", {}, {{1, 2}, {1, 2}}}};
}

}  // namespace

const graph::LayerKind kSum = {.op = "Sum",
                               .description = "sum of all inputs",
                               .min_inputs = 1,
                               .max_inputs = -1,
                               .infer = infer_broadcast,
                               .work = sum_work,
                               .forward = forward_sum,
                               .backward = backward_sum,
                               .samples = samples,
                               .traits = {.linear = true, .is_sum = true}};

}  // namespace convoy::layers
