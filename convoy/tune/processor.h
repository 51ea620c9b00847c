// The processor as the system describes it: nothing here measures.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "convoy/machine/machine.h"

namespace convoy::tune {

struct CpuFeature {
  std::string_view name;  // "avx512f"
  bool present = false;
};

// The extensions that kernels may use, whether present or not; empty where they are unknown.
std::vector<CpuFeature> cpu_features();

// The widest class of them: avx512, avx2, sse4 or baseline.
std::string isa_class();

// The value behind "KEY :" of a file such as /proc/cpuinfo; empty where there is none.
std::string proc_value(const char* path, std::string_view key);

// "AMD EPYC 9B14", or "unknown".
std::string cpu_name();

// The facts that can be had without measuring. Equal machines get equal ones: the peak is a nominal one, not
// that of the momentary clock.
machine::Machine describe_machine(int threads);

}  // namespace convoy::tune
