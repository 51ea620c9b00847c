#include "convoy/plan/timings.h"

#include "convoy/base/threads.h"

namespace convoy::plan {

KernelCost KernelCosts::of(const kernels::KernelEntry& entry, const kernels::Problem& problem) const {
  if (timings != nullptr)
    if (const auto measured = timings->seconds(problem, entry.name, base::thread_count()))
      return {*measured, true};
  return {entry.seconds(problem, machine), false};
}

}  // namespace convoy::plan
