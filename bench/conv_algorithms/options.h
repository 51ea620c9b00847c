// What `conv_algorithms` is asked for.
#pragma once

#include <string>
#include <vector>

#include "convoy/benchkit/conv_layers.h"

namespace convoy::bench {

struct ConvOptions {
  bool help = false;
  bool json = false;          // print JSON instead of tables
  bool details = false;       // also a line for each layer
  bool without_peer = false;  // no PyTorch
  bool without_tuner = false;
  std::vector<const benchkit::ConvSet*> sets;
  std::vector<kernels::Pass> passes;
  std::vector<int> threads;
  int repetitions = 5;
  double seconds = 0.06;
  std::string record;  // file for the results
};

// Throws base::UsageError.
ConvOptions parse_conv_options(const std::vector<std::string>& arguments);
std::string conv_help_text();

}  // namespace convoy::bench
