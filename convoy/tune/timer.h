// Times one kernel on one problem.
#pragma once

#include <limits>
#include <memory>

#include "convoy/base/clock.h"
#include "convoy/kernels/kernel.h"

namespace convoy::tune {

// How long a measurement may last.
struct TimingConfig {
  double budget_seconds = 0.01;  // of repetitions, which end with the one that exceeds it
  int least_repetitions = 3;
  int most_repetitions = 200;
  // A first call that is slower than this, and than the budget, is the measurement: the kernel has lost.
  double give_up_seconds = std::numeric_limits<double>::infinity();
};

struct KernelTime {
  double least_seconds = 0;  // what the kernel takes when nothing else runs
  double median_seconds = 0;
  int repetitions = 0;
};

// A kernel with arrays of its own: random values in the layouts of its traits, in memory that was touched.
// Workspace, saved and derived arrays are there as in training or, for an inference problem, with the derived
// values kept. One call at a time.
class KernelTimer {
 public:
  virtual ~KernelTimer() = default;
  virtual const kernels::KernelTraits& traits() const = 0;
  // One call to warm up (the first time), then repetitions, each timed by the clock. Runs on the calling
  // thread's team, whose size must be the one that the kernel was made for.
  virtual KernelTime measure(const TimingConfig& config) = 0;
};

// Makes the kernel for the calling thread's team. Requires entry.supports(problem). `clock` must outlive it.
std::unique_ptr<KernelTimer> make_kernel_timer(const kernels::KernelEntry& entry,
                                               const kernels::Problem& problem, const base::Clock& clock);

}  // namespace convoy::tune
