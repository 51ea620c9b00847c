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

// Sets offsets, arena_bytes and arena_bytes_unshared. With `share`, slots whose lifetimes do not overlap may
// lie in the same place, and a step whose kernel allows it works in place. Requires that all steps stand on
// one queue, whose order is then the order of execution. Greedy by size, lowest offset first: within a few
// per cent of the lower bound max over steps of live bytes on chains; see docs/algorithms.md.
void plan_memory(Program& program, bool share);

// The largest sum of live arena bytes over all steps, each array rounded up to 64 bytes and two that one
// kernel holds in place counted once: no plan needs less.
std::int64_t live_bytes_bound(const Program& program);

}  // namespace convoy::plan
