// Placement of a Program's arena slots.
#pragma once

#include "convoy/plan/program.h"

namespace convoy::plan {

// First and last step that touches a slot; {-1, -1} for one that no step touches.
struct Lifetime {
  int first = -1;
  int last = -1;
};
std::vector<Lifetime> lifetimes(const Program& program);

// The operands of a compute step that its kernel may hold in one place: outputs[0] over inputs[0] forward,
// input_gradients[0] over output_gradients[0] in the backward passes. {-1, -1}: none.
struct InPlacePair {
  int read = -1;
  int written = -1;
};
InPlacePair in_place_pair(const Program& program, const Step& step);

// Sets offsets, arena_bytes, arena_bytes_unshared and gradient_bytes. With `share`, slots whose lifetimes do
// not overlap may lie in the same place, and a step whose kernel allows it works in place. Requires that all
// steps stand on one queue, whose order is then the order of execution. Greedy by size, lowest offset first:
// within a few per cent of the lower bound max over steps of live bytes on chains; see docs/algorithms.md.
void plan_memory(Program& program, bool share);

// Bytes of one training step, by part; the parts add up.
struct TrainingMemory {
  std::int64_t data = 0;       // the batch and its labels
  std::int64_t weights = 0;    // state included
  std::int64_t gradients = 0;  // those that wait at once for an update that takes each when it is ready
  std::int64_t optimizer = 0;  // what the update rule keeps between steps
  std::int64_t arena = 0;      // activations and their gradients, what forward saves, workspace; as planned
  std::int64_t derived =
      0;  // what kernels keep of the weights between steps: filter transforms, packed panels

  std::int64_t total() const { return data + weights + gradients + optimizer + arena + derived; }
};
// `optimizer_slots`: arrays of the parameters' size that the update rule keeps. Requires planned memory.
TrainingMemory training_memory(const Program& program, int optimizer_slots);

// The largest sum of live arena bytes over all steps, each array rounded up to 64 bytes and two that one
// kernel holds in place counted once: no plan needs less.
std::int64_t live_bytes_bound(const Program& program);

}  // namespace convoy::plan
