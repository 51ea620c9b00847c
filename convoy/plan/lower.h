// From a graph and a plan to the Program of one rank.
#pragma once

#include "convoy/base/result.h"
#include "convoy/graph/graph.h"
#include "convoy/kernels/catalog.h"
#include "convoy/plan/plan.h"
#include "convoy/plan/program.h"

namespace convoy::plan {

// Lays out the step `config` of `graph` under `plan`: forward in graph order; in gradient mode a backward
// pass in the opposite order, with a sum where a value has several readers, and Ready as soon as a segment's
// gradient is final and its parameters are read no more; a Convert step wherever a kernel wants another
// layout than its operand has. Pure: equal arguments give equal Programs. Refuses a plan that names an
// unknown or unsuitable kernel, with layer, pass and reason.
base::Result<Program> lower(const graph::Graph& graph, const Plan& plan, const StepConfig& config,
                            const kernels::Catalog& catalog);

// Where the plan puts parameters and state: graph order, plain but for plan.storage. Refuses a tag that is no
// layout of its segment, and a segment that the graph does not have.
base::Result<tensor::ParamLayout> param_layout(const graph::Graph& graph, const Plan& plan,
                                               tensor::DType type);

}  // namespace convoy::plan
