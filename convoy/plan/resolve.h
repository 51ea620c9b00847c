// Completes a person's request to a plan.
#pragma once

#include <string>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/graph/graph.h"
#include "convoy/kernels/catalog.h"
#include "convoy/machine/machine.h"
#include "convoy/plan/plan.h"
#include "convoy/plan/program.h"

namespace convoy::plan {

// Why a layer's pass is not served by an entry.
struct PassedOver {
  std::string layer;
  kernels::Pass pass;
  std::string entry;
  std::string reason;
};

struct Resolution {
  Plan plan;
  double predicted_seconds = 0;  // of one step of `config`
  std::vector<PassedOver> passed_over;
};

// Chooses, for every pass of every layer, the cheapest supported entry, within one family of layouts for the
// whole graph where the layer has a kernel for it and in the plain one elsewhere; compares the families by
// their estimated step, conversions included, and takes the fastest. A request that names a layout or an
// entry is followed or refused with the reason. Plans for the thread count that the calling thread has now.
base::Result<Resolution> resolve(const graph::Graph& graph, const PlanRequest& request,
                                 const StepConfig& config, const machine::Machine& machine,
                                 const kernels::Catalog& catalog);

}  // namespace convoy::plan
