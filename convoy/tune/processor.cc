#include "convoy/tune/processor.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>

namespace convoy::tune {
namespace {

std::string cpuinfo(std::string_view key) { return proc_value("/proc/cpuinfo", key); }

bool has(const std::vector<CpuFeature>& features, std::string_view name) {
  return std::any_of(features.begin(), features.end(),
                     [name](const CpuFeature& feature) { return feature.present && feature.name == name; });
}

}  // namespace

std::string proc_value(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    if (begin != std::string::npos) return line.substr(begin);
  }
  return {};
}

std::vector<CpuFeature> cpu_features() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const std::string flags = cpuinfo("flags") + " ";
  return {{"sse4.2", __builtin_cpu_supports("sse4.2") != 0},
          {"avx2", __builtin_cpu_supports("avx2") != 0},
          {"fma", __builtin_cpu_supports("fma") != 0},
          {"avx512f", __builtin_cpu_supports("avx512f") != 0},
          {"avx512bw", __builtin_cpu_supports("avx512bw") != 0},
          {"avx512dq", __builtin_cpu_supports("avx512dq") != 0},
          {"avx512vl", __builtin_cpu_supports("avx512vl") != 0},
          {"avx512_vnni", __builtin_cpu_supports("avx512vnni") != 0},
          // Compilers of this age do not know these two names; the kernel does.
          {"avx512_bf16", flags.find(" avx512_bf16 ") != std::string::npos},
          {"amx_tile", flags.find(" amx_tile ") != std::string::npos}};
#else
  return {};
#endif
}

std::string isa_class() {
  const std::vector<CpuFeature> features = cpu_features();
  if (has(features, "avx512f") && has(features, "avx512bw") && has(features, "avx512dq") &&
      has(features, "avx512vl"))
    return "avx512";
  if (has(features, "avx2") && has(features, "fma")) return "avx2";
  return has(features, "sse4.2") ? "sse4" : "baseline";
}

std::string cpu_name() {
  const std::string name = cpuinfo("model name");
  return name.empty() ? "unknown" : name;
}

machine::Machine describe_machine(int threads) {
  constexpr double kClock_hz = 2.5e9;
  machine::Machine machine;
  machine.cpu = cpu_name();
  machine.isa = isa_class();
  machine.threads = threads;
  // Two fused multiply-adds a cycle, as wide as the registers.
  const double lanes = machine.isa == "avx512" ? 16 : machine.isa == "avx2" ? 8 : 4;
  machine.f32_flops = threads * kClock_hz * lanes * 2 * 2;
  // Starting a kernel, and gathering the team for it: measured with the smallest oneDNN primitives.
  machine.dispatch_seconds = threads == 1 ? 0.2e-6 : 1.5e-6;
  const std::int64_t cache_bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (cache_bytes > 0) machine.cache_bytes = cache_bytes;
  return machine;
}

}  // namespace convoy::tune
