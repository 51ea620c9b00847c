#include "convoy/tune/probe.h"

#include <algorithm>
#include <memory>

#include "convoy/base/clock.h"
#include "convoy/base/threads.h"
#include "convoy/tune/bandwidth.h"
#include "convoy/tune/peak.h"
#include "convoy/tune/processor.h"

namespace convoy::tune {
namespace {

constexpr int kPeakProbes = 7;
// Beyond the last level of cache that one core reaches, and that of a few.
constexpr std::int64_t kMostBytes = std::int64_t{128} << 20, kMoreBytes = std::int64_t{8} << 20;
constexpr int kStarts = 200;
// Of a kernel on one thread, without any team: measured with the smallest oneDNN primitives.
constexpr double kLeastDispatchSeconds = 0.2e-6;

// Waking the team for nothing and waiting for it: the least of many, as a busy machine's are.
double start_seconds(int threads) {
  const std::unique_ptr<base::Clock> clock = base::make_steady_clock();
  double least = 1;
  for (int i = 0; i < kStarts; ++i) {
    const double begin = clock->now();
#pragma omp parallel num_threads(threads)
    {
      // Nothing: an empty region is not removed by the compiler.
    }
    least = std::min(least, clock->now() - begin);
  }
  return least;
}

}  // namespace

machine::Machine probe_machine(int threads) {
  machine::Machine machine = describe_machine(threads);
  machine.source = "measured";
  machine.f32_flops = measure_peak(threads, kPeakProbes).best_flops;
  const MemoryLevels levels =
      find_levels(measure_bandwidth(threads, kMostBytes + kMoreBytes * threads), machine.cache_bytes);
  machine.cache_bytes = levels.cache_bytes;
  machine.cache_bandwidth = levels.cache_bandwidth;
  machine.memory_bandwidth = levels.memory_bandwidth;
  machine.dispatch_seconds = std::max(kLeastDispatchSeconds, start_seconds(threads));
  return machine;
}

}  // namespace convoy::tune
