// Graphs from their own text, as checkpoints hold them.
#pragma once

#include <string_view>

#include "convoy/base/result.h"
#include "convoy/graph/graph.h"

namespace convoy::layers {

// Builds the graph that Graph::str() printed, with the kinds of layers::catalog(): the result prints the same
// text. Refuses anything else with the line and what is wrong; safe on hostile text.
base::Result<graph::Graph> parse_graph(std::string_view text);

}  // namespace convoy::layers
