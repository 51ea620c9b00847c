// The convolutions of well-known networks and benchmarks, in sets.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/benchkit/conv_problem.h"

namespace convoy::benchkit {

struct ConvLayer {
  std::string name;  // "3b 5x5"
  ConvProblem problem;
  int multiplicity = 1;  // how often the network has it
};

struct ConvSet {
  std::string_view name;         // "vgg16"
  std::string_view description;  // one line, with the source
  std::vector<ConvLayer> layers;
};

// All sets. Batches are what two cores and some GiB of memory measure in reasonable time; the kernel sweep
// has that of the published figure's scale, 32.
const std::vector<ConvSet>& conv_sets();

// The set of that name, or null.
const ConvSet* find_conv_set(std::string_view name);

}  // namespace convoy::benchkit
