// What kernels take: measured, where somebody has measured them, and predicted elsewhere.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "convoy/kernels/kernel.h"
#include "convoy/machine/machine.h"

namespace convoy::plan {

// A table of measured kernels. Looking up measures nothing and changes nothing.
class Timings {
 public:
  virtual ~Timings() = default;
  // Seconds of one call of the entry for the problem, whatever its epilogue, on a team of `threads`; none
  // where that was not measured.
  virtual std::optional<double> seconds(const kernels::Problem& problem, std::string_view entry,
                                        int threads) const = 0;
};

// Seconds of one call, and where the number comes from.
struct KernelCost {
  double seconds = 0;
  bool measured = false;
};

// What plans are chosen and estimated by. A machine alone is one, too: then all costs are predictions.
struct KernelCosts {
  KernelCosts(machine::Machine facts = {}, const Timings* table = nullptr)
      : machine(std::move(facts)), timings(table) {}

  // Of a call on the team that the calling thread has now. Requires that the entry supports the problem.
  KernelCost of(const kernels::KernelEntry& entry, const kernels::Problem& problem) const;

  machine::Machine machine;
  const Timings* timings = nullptr;  // borrowed
};

}  // namespace convoy::plan
