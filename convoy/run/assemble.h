// From settings to the parts that training and inspection share.
#pragma once

#include "convoy/graph/graph.h"
#include "convoy/optim/update_rule.h"
#include "convoy/plan/plan.h"
#include "convoy/run/config.h"

namespace convoy::run {

// The compute threads that the config asks for: its number, or all processors available.
int resolve_threads(const RunConfig& config);

// What the config asks of the plan. Throws UsageError for a layout or kernel list that cannot be read.
plan::PlanRequest plan_request(const RunConfig& config);

// The hyper-parameters of all update rules.
optim::UpdateConfig update_config(const RunConfig& config);

// The config's model of the catalog, for the shape and classes of its data set; for the model's own where
// the data set is not in the catalog. Reads no file. Throws UsageError where the model cannot be built.
graph::Graph build_configured_model(const RunConfig& config);

}  // namespace convoy::run
