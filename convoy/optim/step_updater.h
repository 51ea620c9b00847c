// The update of a step, begun while its gradients still form.
#pragma once

#include <cstdint>
#include <memory>

#include "convoy/optim/apply.h"
#include "convoy/optim/objective.h"
#include "convoy/optim/update_rule.h"

namespace convoy::optim {

// Applies an element-wise rule to pieces of gradients as they arrive, while they are in cache, and to
// whatever came into an array in one pass at the end. Pieces need no memory after that. Every element is
// updated once, so the bits are those of apply(), which `in pieces` spares the traffic of writing and reading
// the gradient. Changes nothing when the evaluation's loss is not finite. One step at a time: begin, evaluate
// with sink(), finish.
class StepUpdater {
 public:
  virtual ~StepUpdater() = default;
  // Learning rate and number of updates before this one.
  virtual void begin(double learning_rate, std::int64_t step) = 0;
  virtual GradientSink& sink() = 0;
  // Requires the evaluation to have returned with a finite loss.
  virtual void finish() = 0;
};

// `arenas` names the memory and the weight decay; its rate and step are not read. `arrays` receives what
// does not come in pieces, in arenas.gradients. All outlive the updater. Requires what apply() requires.
std::unique_ptr<StepUpdater> make_step_updater(const UpdateRule& rule, const ArenaUpdate& arenas,
                                               GradientSink& arrays);

}  // namespace convoy::optim
