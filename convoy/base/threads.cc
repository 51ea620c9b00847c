#include "convoy/base/threads.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>

#include "convoy/base/check.h"

namespace convoy::base {

int available_processors() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 1;
  return std::max(1, CPU_COUNT(&mask));
}

void set_thread_count(int n) {
  CONVOY_CHECK(n >= 1, "n = ", n);
  omp_set_dynamic(0);
  omp_set_num_threads(n);
}

int thread_count() { return omp_get_max_threads(); }

IndexRange split_range(std::int64_t count, int parts, int part) {
  const std::int64_t base = count / parts, extra = count % parts;
  const std::int64_t begin = part * base + std::min<std::int64_t>(part, extra);
  return {begin, begin + base + (part < extra ? 1 : 0)};
}

}  // namespace convoy::base
