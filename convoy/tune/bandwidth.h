// How fast a machine moves bytes.
#pragma once

#include <cstdint>
#include <vector>

namespace convoy::tune {

// Bytes per second of a[i] = b[i] + s c[i] over arrays of `bytes` together: read and written bytes counted
// once each, as cost models do.
struct BandwidthSample {
  std::int64_t bytes = 0;
  double bytes_per_second = 0;
};

// Measures footprints that double from 2 MiB a thread to `most_bytes` in all, ascending, on a team of
// `threads`, each thread over its own part: the best of a few passes each. Allocates `most_bytes`. Blocks,
// for about 0.1 s with 256 MiB.
std::vector<BandwidthSample> measure_bandwidth(int threads, std::int64_t most_bytes);

// What samples say of the levels below the core's own.
struct MemoryLevels {
  std::int64_t cache_bytes = 0;
  double cache_bandwidth = 0, memory_bandwidth = 0;
};

// Memory is the largest footprint's bandwidth. The cache reaches to the largest footprint that is faster than
// the geometric mean of memory and the fastest sample, and no further than `reported_bytes` (0: not known);
// its bandwidth is the median of the samples within. Requires at least one sample.
MemoryLevels find_levels(const std::vector<BandwidthSample>& samples, std::int64_t reported_bytes);

}  // namespace convoy::tune
