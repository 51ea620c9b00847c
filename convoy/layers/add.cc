// Add: y = a + b, element by element; sizes of 1 repeat.
// Source: ONNX operator Add-14. The inputs have the same number of dimensions and the same batch.
#include "convoy/layers/broadcast.h"
#include "convoy/layers/catalog.h"

namespace convoy::layers {
namespace {

std::vector<graph::LayerSample> samples() {
  return {{"same shapes", {}, {{2, 3, 4, 4}, {2, 3, 4, 4}}},
          {"one a channel", {}, {{2, 3, 2, 4}, {2, 3, 1, 1}}},
          {"both repeat", {}, {{2, 1, 5}, {2, 4, 1}}},
          {"batch 1", {}, {{1, 1}, {1, 6}}}};
}

}  // namespace

const graph::LayerKind kAdd = {.op = "Add",
                               .description = "a + b",
                               .min_inputs = 2,
                               .max_inputs = 2,
                               .infer = infer_broadcast,
                               .work = sum_work,
                               .forward = forward_sum,
                               .backward = backward_sum,
                               .samples = samples,
                               .traits = {.linear = true, .is_sum = true}};

}  // namespace convoy::layers
