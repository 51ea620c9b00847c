// The plan of a run.
#pragma once

#include "convoy/graph/graph.h"
#include "convoy/plan/resolve.h"
#include "convoy/run/config.h"

namespace convoy::run {

// Resolves the config's request for a training step of its batch, with the compute team that the config
// allows and, where it asks for no number, also with one thread, and takes the faster prediction: a small
// step is over before a team has gathered. Leaves base's thread count at the plan's. Throws UsageError with
// the reason.
plan::Resolution choose_plan(const graph::Graph& graph, const RunConfig& config);

}  // namespace convoy::run
