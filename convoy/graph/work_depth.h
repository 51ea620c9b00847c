// Work and depth of a whole network.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/graph/graph.h"

namespace convoy::graph {

// W operations, of which D form the longest chain that depends on itself from end to end. On p processors the
// time is between max(W/p, D) and W/p + D (Brent 1974).
struct WorkDepth {
  std::int64_t work = 0;
  std::int64_t depth = 0;

  // W / D; 0 where nothing is computed.
  double parallelism() const {
    return depth > 0 ? static_cast<double>(work) / static_cast<double>(depth) : 0;
  }
};

// Of one layer, forward: all its operations, as graph::Work counts them.
WorkDepth forward_work(const Work& work);

struct NetworkWork {
  std::vector<Work> layers;  // in graph order
  std::int64_t macs = 0;     // forward
  // W is the sum over the layers, D the longest path through the graph.
  WorkDepth forward;  // of all layers
  // Forward, the gradients of everything that parameters influence, and those of the parameters; where
  // several layers read a value, the sum of its gradients too. Without the update. Equals forward without a
  // loss.
  WorkDepth step;
};

// For a batch of n samples, n >= 1. Counts beyond int64 are its largest value.
NetworkWork count_work(const Graph& graph, std::int64_t n);

}  // namespace convoy::graph
