// Initial values of a model's parameters and state, segment by segment.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "convoy/graph/graph.h"

namespace convoy::graph {

// The values of initialise(), one segment at a time, for whoever must not hold them all twice.
class InitialValues {
 public:
  InitialValues(const Graph& graph, std::uint64_t seed);
  // Draws the segment's slice, row-major and `count` elements, into `out`. Requires a plain segment of the
  // graph.
  void draw(const tensor::Segment& segment, std::span<float> out) const;

 private:
  struct Rule {
    Initialiser initialiser;
    std::uint64_t index = 0;  // in graph order
  };
  std::map<std::string, Rule> rules_;  // by segment
  std::uint64_t seed_;
};

}  // namespace convoy::graph
