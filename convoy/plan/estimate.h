// What a Program will cost, by counting.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/kernels/catalog.h"
#include "convoy/plan/program.h"
#include "convoy/plan/timings.h"

namespace convoy::plan {

struct StepCost {
  double seconds = 0;
  std::int64_t bytes = 0;  // read and written
};

// Training memory by part, in the survey's letters. data, weights and gradients add up; activation_gradients
// and workspace are parts of data, as they lie in the arena too.
struct MemoryEstimate {
  std::int64_t data = 0;       // D: the batch, and the activations and their gradients (the arena)
  std::int64_t weights = 0;    // W, state included
  std::int64_t gradients = 0;  // ∇W: those that wait at once for an update that takes them when ready
  std::int64_t activation_gradients = 0;  // ∇D: the part of the arena's unshared size that holds gradients
  std::int64_t workspace = 0;             // the largest step's scratch, and what is saved for backward
};

struct Estimate {
  double seconds = 0;
  std::int64_t bytes = 0;
  std::vector<StepCost> steps;
  MemoryEstimate memory;
};

// Seconds of a compute step are its entry's, measured or predicted; of convert, fill and reduce_into, bytes
// over bandwidth (the cache's for what fits into it) plus dispatch; the other steps start no kernel and cost
// nothing. The Program's seconds are those of its longest chain of steps: the sum, on a single queue.
// Requires a Program that verify() accepts and the catalog it was lowered with.
// Measured seconds are those for the calling thread's team.
Estimate estimate(const Program& program, const KernelCosts& costs, const kernels::Catalog& catalog);

}  // namespace convoy::plan
