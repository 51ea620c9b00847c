// Activation recomputation: the backward pass runs forward passes again instead of reading what they left.
#pragma once

#include <vector>

#include "convoy/plan/program.h"

namespace convoy::plan {

// Rewrites a gradient Program so that nothing which the forward pass of a layer in `layers` writes (its
// outputs, what it saves, and their copies in other layouts) outlives the forward pass: where the backward
// pass reads such an array, the forward step stands again right before it, and again before that whatever it
// reads that is not kept either. Each step is repeated at most once, with the same kernel on the same values,
// so every bit of loss and gradients stays. Dropout draws its mask from the StepKey, which is the same; the
// next running statistics of a repeated batch norm are discarded. Copies of parameters in other layouts are
// made anew. What the Program returns is always kept. A Relu goes with the layer that applies it. `layers`:
// by layer of the graph. Plan the memory afterwards. Programs of other modes stay as they are. Source: Chen,
// Xu, Zhang and Guestrin, Training deep nets with sublinear memory cost (2016), section 4. Returns the steps
// that stand again, by their indices before.
std::vector<int> recompute(Program& program, const std::vector<bool>& layers);

// The first step of the backward pass, or the number of steps where there is none.
int backward_begin(const Program& program);

}  // namespace convoy::plan
