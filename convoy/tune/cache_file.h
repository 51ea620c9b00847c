// The tuning cache as a text: what was measured, on which machines.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/machine/machine.h"

namespace convoy::tune {

// What a measurement holds for: the same processor, instruction set and number of processors, and the same
// versions of Convoy and of the libraries that compute.
struct MachineKey {
  std::string cpu, isa;
  int processors = 1;
  std::map<std::string, std::string> libraries;  // name → version
  friend bool operator==(const MachineKey&, const MachineKey&) = default;

  bool same_machine(const MachineKey& other) const {
    return cpu == other.cpu && isa == other.isa && processors == other.processors;
  }
  std::string str() const;  // one line for messages
};

// This process's.
MachineKey identify_machine();

struct TimingKey {
  std::string problem;  // problem_text()
  int threads = 1;
  std::string entry;
  friend auto operator<=>(const TimingKey&, const TimingKey&) = default;
};

// The measured part of machine::Machine, for one size of team.
struct Ceilings {
  double f32_flops = 0, memory_bandwidth = 0, cache_bandwidth = 0, dispatch_seconds = 0;
  std::int64_t cache_bytes = 0;
  friend bool operator==(const Ceilings&, const Ceilings&) = default;
};

struct MachineRecord {
  MachineKey machine;
  std::map<int, Ceilings> ceilings;     // by threads
  std::map<TimingKey, double> seconds;  // of one call
  friend bool operator==(const MachineRecord&, const MachineRecord&) = default;
};

// Records of different machines, the last used last.
struct CacheContents {
  std::vector<MachineRecord> machines;
  friend bool operator==(const CacheContents&, const CacheContents&) = default;

  const MachineRecord* find(const MachineKey& machine) const;
};

// Reads what print_cache() wrote. Refuses everything else, another format first: one line, without the file's
// name. Whatever is accepted prints as a text that gives the same contents.
base::Result<CacheContents> parse_cache(std::string_view text);
std::string print_cache(const CacheContents& contents);

}  // namespace convoy::tune
