// A plan for another step than the one that it was made for.
#pragma once

#include "convoy/graph/graph.h"
#include "convoy/kernels/catalog.h"
#include "convoy/plan/plan.h"
#include "convoy/plan/program.h"

namespace convoy::plan {

// The plan with other kernels for those layers whose planned ones do not serve the step `config`: a kernel
// may need a minimum of samples, and the last batch of an epoch, an evaluation and a prediction have other
// sizes than a training step; another machine may not have bf16. Where every kernel serves, the plan itself;
// also where it is not the graph's, which lower() refuses. Each replacement is the entry with the smallest
// time on a nominal machine, in whatever layouts, so equal arguments give equal plans everywhere. Storage,
// threads and memory stay.
Plan adapt(const graph::Graph& graph, const Plan& plan, const StepConfig& config,
           const kernels::Catalog& catalog);

}  // namespace convoy::plan
