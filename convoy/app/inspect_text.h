// An inspection as text and as JSON.
#pragma once

#include <string>
#include <string_view>

#include "convoy/io/json.h"
#include "convoy/run/inspect.h"

namespace convoy::app {

// Layers with shapes, parameters and work; memory by part; the predicted step. One of these parts, or plan,
// algorithms, program or graph alone, where `part` names it; all but the graph where it is empty; a summary
// without plan and program for "summary".
std::string inspection_text(const run::InspectReport& report, std::string_view part);

io::Json inspection_json(const run::InspectReport& report);

// "recomputation: 2.1 GiB of the 2.5 GiB allowed for a training step; 12 layers computed again, which adds 82
// ms (12.3 %)"
std::string recomputation_line(const run::RecomputationReport& report);

}  // namespace convoy::app
