// Which activations a training step computes again, so that it fits into memory.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/kernels/catalog.h"
#include "convoy/plan/plan.h"
#include "convoy/plan/program.h"
#include "convoy/plan/timings.h"

namespace convoy::plan {

// A choice of layers for recompute(), and what it makes of the step.
struct Recomputation {
  std::vector<bool> layers;
  std::int64_t memory_bytes = 0;  // training_memory().total()
  double seconds = 0;             // that it adds to the step, estimated
};

// The request's choice for a gradient Program that keeps everything:
//  - without a limit none, or, for Recompute::sqrt, all layers but about every sqrt(L)-th of the L that have
//  a
//    forward kernel, and those behind the last of these: where the net is narrowest within one and two such
//    distances, so that one array leads on;
//  - with a limit the fastest found that meets it: among such segmentations of every length, and prefixes of
//    the layers in order of seconds a byte saved; of the best, layers are then kept again, the dearest first,
//    as long as it fits. Each candidate is judged by the memory plan of its rewritten Program.
// Refuses a limit that none meets, naming the smallest that one does. Deterministic. Lowers nothing: some 100
// + L rewritings and memory plans.
base::Result<Recomputation> choose_recomputed(const Program& kept, const PlanRequest& request,
                                              const KernelCosts& costs, const kernels::Catalog& catalog);

}  // namespace convoy::plan
