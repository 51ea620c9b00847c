#include "convoy/plan/candidates.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "convoy/kernels/cost.h"

namespace convoy::plan {
namespace {

using kernels::KernelEntry;
using kernels::LayoutFamily;
using kernels::Pass;

constexpr std::string_view kAll = "*", kFree = "auto";

// Rounding of the ratio of two bounds.
constexpr double kSlack = 1 + 1e-9;

bool serves(const KernelEntry& entry, std::string_view op) { return entry.op == "*" || entry.op == op; }

// "fft, winograd:f4": every entry for convolutions, once.
std::string known_algorithms(const kernels::Catalog& catalog) {
  std::string list;
  for (const KernelEntry& entry : catalog)
    if (serves(entry, "Conv")) list += base::str(list.empty() ? "" : ", ", entry.name);
  return list;
}

// Sets `workspace_bytes` where that is what is wrong, else 0.
base::Verdict judge(const PlanRequest& request, const KernelEntry& entry, const kernels::Problem& problem,
                    std::int64_t& workspace_bytes) {
  workspace_bytes = 0;
  if (const base::Verdict verdict = entry.supports(problem); !verdict) return verdict;
  const double direct = direct_error_growth(problem);
  if (request.error_limit > 0 && direct > 0 && entry.error_growth != nullptr) {
    const double times = entry.error_growth(problem) / direct;
    if (times > request.error_limit * kSlack)
      return base::Reason{base::str("its error bound is ", times, " times the direct sum's, the limit is ",
                                    request.error_limit)};
  }
  if (request.workspace_limit_bytes == 0) return {};
  const std::int64_t bytes = entry.make(problem)->traits().workspace_bytes;
  if (bytes <= request.workspace_limit_bytes) return {};
  workspace_bytes = bytes;
  return base::Reason{
      base::str("it needs ", bytes, " bytes of workspace, the limit is ", request.workspace_limit_bytes)};
}

}  // namespace

base::Verdict admits(const PlanRequest& request, const KernelEntry& entry, const kernels::Problem& problem) {
  std::int64_t workspace_bytes = 0;
  return judge(request, entry, problem, workspace_bytes);
}

bool means(std::string_view asked, std::string_view entry) {
  return entry == asked || (entry.size() > asked.size() && entry.starts_with(asked) &&
                            entry[asked.size()] == ':' && !asked.empty());
}

double direct_error_growth(const kernels::Problem& problem) {
  if (problem.kind->op != "Conv") return 0;
  const tensor::Shape &weight = problem.params[0].shape, &y = problem.outputs[0];
  const auto taps = static_cast<double>(weight.count_from(2));
  switch (problem.pass) {
    case Pass::forward:
      return kernels::sum_error_growth(static_cast<double>(weight.count_from(1)) + 1);  // and the bias
    case Pass::backward_data:
      return kernels::sum_error_growth(static_cast<double>(weight[0]) * taps);
    case Pass::backward_weights:
    case Pass::backward:
      break;
  }
  return kernels::sum_error_growth(static_cast<double>(y[0]) * static_cast<double>(y.count_from(2)));
}

std::vector<PassedOver> telling_refusals(const std::vector<Candidate>& candidates,
                                         const std::vector<PassedOver>& refused) {
  const auto entry_of = [](const PassedOver& passed) {
    return std::string_view(passed.entry).substr(0, passed.entry.rfind('/'));
  };
  std::vector<PassedOver> kept;
  for (const PassedOver& passed : refused) {
    const std::string_view entry = entry_of(passed);
    if (std::any_of(candidates.begin(), candidates.end(),
                    [&](const Candidate& candidate) { return candidate.entry->name == entry; }))
      continue;
    const auto known = std::find_if(kept.begin(), kept.end(),
                                    [&](const PassedOver& other) { return entry_of(other) == entry; });
    if (known == kept.end())
      kept.push_back(passed);
    else if (passed.entry.ends_with("/blocked"))
      *known = passed;
  }
  return kept;
}

// What one find() collects.
struct CandidateFinder::Search {
  int layer;
  Pass pass;
  std::vector<PassedOver> refused = {};
  std::optional<Candidate> smallest = {};  // of those that only the workspace limit refuses
  std::int64_t smallest_bytes = 0;

  // Of an entry that does not serve float32 either, float32's reason is the one.
  void refuse(const std::string& name, const Candidate& candidate, const std::string& reason) {
    if (candidate.bf16) return;
    const std::string entry = base::str(candidate.entry->name, "/", kernels::name(candidate.family));
    const bool known = std::any_of(refused.begin(), refused.end(),
                                   [&](const PassedOver& passed) { return passed.entry == entry; });
    if (!known) refused.push_back({name, pass, entry, reason});
  }
};

std::vector<LayoutFamily> CandidateFinder::families() const {
  if (request_.layout) return {*request_.layout};
  return {std::begin(kernels::kLayoutFamilies), std::end(kernels::kLayoutFamilies)};
}

bool CandidateFinder::is_known(std::string_view op, std::string_view entry) const {
  return std::any_of(catalog_.begin(), catalog_.end(),
                     [&](const KernelEntry& e) { return serves(e, op) && means(entry, e.name); });
}

base::Verdict CandidateFinder::check_layers(const std::map<std::string, std::string>& asked,
                                            const char* what) const {
  std::set<std::string_view> known = {kAll};
  for (const graph::Layer& layer : analysis_.graph().layers()) known.insert(layer.name);
  for (const auto& [name, entry] : asked)
    if (!known.contains(name))
      return base::Reason{
          base::str("no layer '", name, "' in ", analysis_.graph().name(), " to use ", what, " ", entry)};
  return {};
}

base::Verdict CandidateFinder::check() const {
  if (const auto verdict = check_layers(request_.kernels, "kernel"); !verdict) return verdict;
  if (const auto verdict = check_layers(request_.conv_algorithms, "convolution algorithm"); !verdict)
    return verdict;
  const auto all = request_.kernels.find(std::string(kAll));
  if (all != request_.kernels.end() && all->second != kFree &&
      std::none_of(catalog_.begin(), catalog_.end(),
                   [&](const KernelEntry& e) { return means(all->second, e.name); }))
    return base::Reason{base::str("no kernel '", all->second, "' for any operator")};
  for (const auto& [name, entry] : request_.conv_algorithms) {
    if (entry != kFree && !is_known("Conv", entry))
      return base::Reason{
          base::str("no convolution algorithm '", entry, "'; there are: ", known_algorithms(catalog_))};
    if (name == kAll) continue;
    if (request_.kernels.contains(name))
      return base::Reason{base::str("layer ", name, ": a kernel (", request_.kernels.at(name),
                                    ") and a convolution algorithm (", entry, ") are asked for: give one")};
    for (const graph::Layer& l : analysis_.graph().layers())
      if (l.name == name && l.kind->op != "Conv")
        return base::Reason{base::str("layer ", name, " is a ", l.kind->op,
                                      ": only a Conv has a convolution "
                                      "algorithm")};
  }
  return {};
}

// A layer's own name goes before "*", a convolution algorithm before a kernel.
CandidateFinder::Asked CandidateFinder::asked(int index) const {
  const graph::Layer& l = layer(index);
  const bool is_conv = l.kind->op == "Conv";
  const auto look_up = [&](const std::map<std::string, std::string>& map, std::string_view name) {
    const auto found = map.find(std::string(name));
    return found == map.end() ? std::string() : found->second;
  };
  for (const std::string_view name : {std::string_view(l.name), kAll}) {
    std::string entry = is_conv ? look_up(request_.conv_algorithms, name) : std::string();
    if (entry.empty()) entry = look_up(request_.kernels, name);
    if (entry == kFree) return {};
    if (entry.empty()) continue;
    // A request for all layers concerns those whose operator has a kernel of that name.
    if (name == kAll && !is_known(l.kind->op, entry)) continue;
    return {entry, name != kAll};
  }
  return {};
}

std::vector<Candidate> CandidateFinder::admit(Search& search, LayoutFamily family,
                                              std::string_view asked) const {
  const std::string_view op = layer(search.layer).kind->op;
  std::vector<Candidate> considered;
  for (const KernelEntry& entry : catalog_) {
    if (!serves(entry, op) || (!asked.empty() && !means(asked, entry.name))) continue;
    if (analysis_.config().bf16) considered.push_back({&entry, family, true});
    considered.push_back({&entry, family});
  }
  std::vector<Candidate> admitted;
  for (const Candidate& candidate : considered) {
    const KernelEntry& entry = *candidate.entry;
    const kernels::Problem problem = analysis_.problem(search.layer, search.pass, family, candidate.bf16);
    std::int64_t workspace_bytes = 0;
    const base::Verdict verdict = judge(request_, entry, problem, workspace_bytes);
    if (verdict) {
      admitted.push_back(candidate);
      continue;
    }
    search.refuse(layer(search.layer).name, candidate, verdict.reason().text);
    if (workspace_bytes == 0 || (search.smallest && workspace_bytes >= search.smallest_bytes)) continue;
    search.smallest = candidate;
    search.smallest_bytes = workspace_bytes;
  }
  return admitted;
}

base::Result<AllCandidates> CandidateFinder::find_all(int index, Pass pass) const {
  AllCandidates all;
  std::vector<PassedOver> refused;
  for (const LayoutFamily family : families()) {
    const auto found = find(index, pass, family, refused);
    if (!found) return found.reason();
    for (const Candidate& candidate : *found)
      if (std::find(all.candidates.begin(), all.candidates.end(), candidate) == all.candidates.end())
        all.candidates.push_back(candidate);
  }
  all.refused = telling_refusals(all.candidates, refused);
  return all;
}

base::Result<std::vector<Candidate>> CandidateFinder::find(int index, Pass pass, LayoutFamily family,
                                                           std::vector<PassedOver>& passed_over) const {
  const Asked wanted = asked(index);
  Search search{.layer = index, .pass = pass};
  std::vector<LayoutFamily> order = {family, LayoutFamily::plain};
  std::vector<Candidate> found;
  if (!wanted.entry.empty()) {
    order.insert(order.end(), std::begin(kernels::kLayoutFamilies), std::end(kernels::kLayoutFamilies));
    for (std::size_t i = 0; i < order.size() && found.empty(); ++i)
      found = admit(search, order[i], wanted.entry);
  }
  if (found.empty() && !wanted.of_this_layer) {
    search.smallest.reset();
    for (std::size_t i = 0; i < 2 && found.empty(); ++i) found = admit(search, order[i], "");
    if (found.empty() && search.smallest) {
      const Candidate least = *search.smallest;
      std::erase_if(search.refused, [&](const PassedOver& passed) {
        return passed.entry == base::str(least.entry->name, "/", kernels::name(least.family));
      });
      found = {least};
    }
  }
  passed_over.insert(passed_over.end(), search.refused.begin(), search.refused.end());
  if (!found.empty()) return found;
  std::string reasons;
  for (const PassedOver& refused : search.refused)
    reasons += base::str(reasons.empty() ? "" : "; ", refused.entry, ": ", refused.reason);
  if (reasons.empty()) reasons = base::str("no kernel '", wanted.entry, "' for this operator");
  return base::Reason{base::str("layer ", layer(index).name, ", ", kernels::name(pass), ": ", reasons)};
}

}  // namespace convoy::plan
