// Where the time of clocked runs went: by layer and direction, and step by step.
#pragma once

#include <string>
#include <vector>

#include "convoy/base/trace.h"
#include "convoy/exec/graph_objective.h"
#include "convoy/plan/program.h"

namespace convoy::exec {

// What a step of a Program is to a profile.
enum class StepClass : std::uint8_t {
  kernel,       // compute, fills and sums
  convert,      // changes of layout
  update,       // announcing a gradient, which the update takes at that moment or in pieces before
  interpreter,  // binding
};
StepClass classify(plan::StepKind kind);

// One layer in one direction; all numbers are sums over the runs.
struct ProfileRow {
  std::string layer;
  // "forward", "backward_data", "backward_weights" or "backward"; "forward + relu" where one kernel applies
  // the layer behind as well, "… + update" where it updates the weights while their gradient forms;
  // "forward again" where it is recomputed for the backward pass;
  // "gradient sum" and "gradient fill" of values that several layers read.
  std::string direction;
  std::string kernel;  // "winograd:f4/blocked"; empty: the executor's own
  double seconds = 0;
  double flops = 0;  // by definition (kernels::pass_flops), not as some algorithm saves or adds them
  double bytes = 0;  // each array once (kernels::moved_bytes)
};

struct RunProfile {
  std::vector<ProfileRow> rows;  // in the order of the first run
  double convert_seconds = 0, convert_bytes = 0;
  double update_seconds = 0;  // but for what rows with "… + update" hold
  double interpreter_seconds = 0;
  double seconds = 0;  // from the begin to the end of each run: the sum of all others
};

// Sums up runs of any Programs of one graph: equal layers and directions are one row.
RunProfile profile(const std::vector<ClockedRun>& runs);

// One span a step that did something, on track first_track + queue: "conv1 forward" with kernel, layout and
// shapes, "input for conv1 forward" with both layouts. Binding and announcing are left out where they took
// below 1 us.
void append_spans(const ClockedRun& run, int first_track, std::vector<base::TraceEvent>& events);

}  // namespace convoy::exec
