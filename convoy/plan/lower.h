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

// Layers whose value influences what `mode` returns, by layer index.
std::vector<bool> needed_layers(const graph::Graph& graph, StepConfig::Mode mode);

// Values whose gradient a step must compute, by ValueId: those that depend on a parameter and influence the
// loss.
std::vector<bool> differentiated_values(const graph::Graph& graph);

// The problem that one pass of a layer poses, for a batch. Of a fused Relu's producer, with its epilogue.
kernels::Problem problem_of(const graph::Graph& graph, const graph::Shapes& shapes, int layer,
                            kernels::Pass pass, const StepConfig& config);

// The passes that a layer needs in this mode.
std::vector<kernels::Pass> passes_of(const graph::Graph& graph, int layer, StepConfig::Mode mode);

}  // namespace convoy::plan
