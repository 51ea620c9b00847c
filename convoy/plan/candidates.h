// Which kernels may serve a pass of a layer, and why the others may not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/kernels/catalog.h"
#include "convoy/plan/analysis.h"
#include "convoy/plan/plan.h"

namespace convoy::plan {

// An entry and how it would serve a pass: in which family of layouts, and whether on bf16 activations.
struct Candidate {
  const kernels::KernelEntry* entry = nullptr;
  kernels::LayoutFamily family = kernels::LayoutFamily::plain;
  bool bf16 = false;

  Choice choice() const { return {std::string(entry->name), family, bf16}; }
  friend bool operator==(const Candidate&, const Candidate&) = default;
};

// Why a pass of a layer is not served by an entry: refused, or slower than the one that is.
struct PassedOver {
  std::string layer;
  kernels::Pass pass;
  std::string entry;  // "fft/blocked"
  std::string reason;
  double seconds = 0;  // of one that lost; 0: refused
  bool measured = false;
};

// Whether a name that a person gives means this entry: the same, or its beginning before a colon.
// "winograd" means winograd:f4, "winograd:f4" itself; "wino" means nothing.
bool means(std::string_view asked, std::string_view entry);

// The bound on the rounding error of the convolution's sum of products in any order, in KernelEntry's units:
// what an error limit counts in. 0 for other operators, whose kernels all compute the same sums.
double direct_error_growth(const kernels::Problem& problem);

// Whether the entry supports the problem within the request's limits; if not, why.
base::Verdict admits(const PlanRequest& request, const kernels::KernelEntry& entry,
                     const kernels::Problem& problem);

// Of the entries that none of the candidates is, one refusal each: that in blocked layouts, where the fast
// algorithms work and the reason says most, if there is one.
std::vector<PassedOver> telling_refusals(const std::vector<Candidate>& candidates,
                                         const std::vector<PassedOver>& refused);

// What may serve a pass in some family of layouts, and why the other entries may in none.
struct AllCandidates {
  std::vector<Candidate> candidates;
  std::vector<PassedOver> refused;
};

// Answers for one graph, step and request. Borrows all three.
class CandidateFinder {
 public:
  CandidateFinder(const Analysis& analysis, const PlanRequest& request, const kernels::Catalog& catalog)
      : analysis_(analysis), request_(request), catalog_(catalog) {}

  // Refuses a request that names unknown layers or kernels, one layer twice, or as a convolution what is
  // none.
  base::Verdict check() const;

  // The entries that may serve the pass when the net stands in `family`: those for this family, else for the
  // plain one; of an algorithm that was asked for, else for any other. All of one family; at least one.
  // Where no entry keeps the workspace limit and none was asked for, the one that exceeds it least.
  // Refuses what nothing can serve. The entries that are refused on the way go to `passed_over`, once each.
  base::Result<std::vector<Candidate>> find(int layer, kernels::Pass pass, kernels::LayoutFamily family,
                                            std::vector<PassedOver>& passed_over) const;

  // The same over all families(): every candidate once. Refuses where one family has none.
  base::Result<AllCandidates> find_all(int layer, kernels::Pass pass) const;

  // The families of layouts that the request leaves open.
  std::vector<kernels::LayoutFamily> families() const;

 private:
  struct Asked {
    std::string entry;           // empty: nothing
    bool of_this_layer = false;  // else of all layers, and only where something supports it
  };
  struct Search;  // the state of one find()

  Asked asked(int layer) const;
  bool is_known(std::string_view op, std::string_view entry) const;
  base::Verdict check_layers(const std::map<std::string, std::string>& asked, const char* what) const;
  std::vector<Candidate> admit(Search& search, kernels::LayoutFamily family, std::string_view asked) const;
  const graph::Layer& layer(int index) const {
    return analysis_.graph().layers()[static_cast<std::size_t>(index)];
  }

  const Analysis& analysis_;
  const PlanRequest& request_;
  const kernels::Catalog& catalog_;
};

}  // namespace convoy::plan
