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

// Where nobody chose a data set, the model gets the input and classes that its catalog says, and not those of
// the standard data set: for commands that need a model alone.
void take_own_shape(ResolvedConfig& resolved);

// "3x224x224": sizes of one to five dimensions, each at least 1.
base::Result<tensor::Shape> parse_sample_shape(std::string_view text);

// The config's model of the catalog, for the input and classes that it sets, else those of its data set; for
// the model's own where the data set is not in the catalog. Reads no file. Throws UsageError where the model
// cannot be built.
graph::Graph build_configured_model(const RunConfig& config);

}  // namespace convoy::run
