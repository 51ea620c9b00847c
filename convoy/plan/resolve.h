// Completes a person's request to a plan.
#pragma once

#include <string>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/graph/graph.h"
#include "convoy/kernels/catalog.h"
#include "convoy/plan/candidates.h"
#include "convoy/plan/plan.h"
#include "convoy/plan/program.h"
#include "convoy/plan/timings.h"

namespace convoy::plan {

// The kernel of one pass of one layer, and what it costs.
struct Chosen {
  std::string layer;
  kernels::Pass pass;
  Choice choice;
  KernelCost cost;
};

// What a whole step costs where the net stands in one family of layouts, conversions included.
struct FamilyCost {
  kernels::LayoutFamily family;
  double seconds = 0;
};

struct Resolution {
  Plan plan;
  double predicted_seconds = 0;   // of one step of `config`: the best of `families`, and recomputation
  double recompute_seconds = 0;   // the part of it that recomputation adds
  std::int64_t memory_bytes = 0;  // training_memory().total() of the step
  kernels::LayoutFamily family = kernels::LayoutFamily::plain;
  std::vector<FamilyCost> families;
  std::vector<Chosen> chosen;  // in graph order, forward first; nothing of fused passes
  // Each entry that is not chosen, once a pass: in the family of layouts that suits it best, or refused.
  std::vector<PassedOver> passed_over;
};

// Chooses, for every pass of every layer, the cheapest supported entry, within one family of layouts for the
// whole graph where the layer has a kernel for it and in the plain one elsewhere; compares the families by
// their estimated step, conversions included, and takes the fastest. Costs are measured seconds where `costs`
// has them, predictions elsewhere. A request that names a layout, an entry or a limit is followed or refused
// with the reason. Then chooses what is recomputed, as memory_budget.h says. Plans for the thread count that
// the calling thread has now.
base::Result<Resolution> resolve(const graph::Graph& graph, const PlanRequest& request,
                                 const StepConfig& config, const KernelCosts& costs,
                                 const kernels::Catalog& catalog);

}  // namespace convoy::plan
