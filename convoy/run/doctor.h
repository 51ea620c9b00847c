// What this machine and this build can do, and what is missing for what.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "convoy/tune/processor.h"

namespace convoy::run {

struct Finding {
  enum class State : std::uint8_t { good, absent, problem } state = State::good;
  std::string topic;   // "SIMD", "threads", "oneDNN", "data directory"
  std::string detail;  // what was found
  std::string advice;  // what it is needed for and how to get it; empty when good
};

std::vector<Finding> examine_machine();

// The facts that can be had without measuring.
using tune::describe_machine;

}  // namespace convoy::run
