// What is known of a machine, as plain data. Nothing here measures; `benchkit` and `tune` fill it in.
#pragma once

#include <cstdint>
#include <string>

namespace convoy::machine {

// Ceilings of one node as cost models use them. Defaults describe a modest AVX-512 core pair, for runs
// that have measured nothing; `source` says which it is.
struct Machine {
  std::string source = "default";  // "default" or "measured"
  std::string cpu = "unknown";
  std::string isa = "unknown";  // avx512 | avx2 | sse4
  int threads = 1;
  double f32_flops = 100e9;             // per second, all threads
  double memory_bandwidth = 20e9;       // bytes per second, all threads
  double cache_bandwidth = 100e9;       // bytes per second from the last level of cache
  std::int64_t cache_bytes = 32 << 20;  // last level
  double dispatch_seconds = 1e-6;       // fixed cost of starting one kernel on the team
};

}  // namespace convoy::machine
