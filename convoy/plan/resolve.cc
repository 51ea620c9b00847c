#include "convoy/plan/resolve.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "convoy/base/threads.h"
#include "convoy/plan/analysis.h"
#include "convoy/plan/estimate.h"
#include "convoy/plan/lower.h"

namespace convoy::plan {
namespace {

using kernels::KernelEntry;
using kernels::LayoutFamily;
using kernels::Pass;

// Completes a request within one family of layouts.
class FamilyResolver {
 public:
  FamilyResolver(const Analysis& analysis, const PlanRequest& request, const machine::Machine& machine,
                 const kernels::Catalog& catalog, LayoutFamily family)
      : analysis_(analysis), request_(request), machine_(machine), catalog_(catalog), family_(family) {}

  base::Result<Plan> run(std::vector<PassedOver>& passed_over) {
    Plan plan;
    plan.share_memory = request_.share_memory;
    plan.threads = base::thread_count();
    const auto& layers = analysis_.graph().layers();
    for (int i = 0; i < static_cast<int>(layers.size()); ++i) {
      LayerPlan layer{.layer = layers[static_cast<std::size_t>(i)].name};
      for (const Pass pass : analysis_.passes(i)) {
        auto choice = choose(i, pass, passed_over);
        if (!choice) return choice.reason();
        layer.passes[pass] = std::move(choice).value();
      }
      unify_if_saved(i, layer);
      plan.layers.push_back(std::move(layer));
    }
    if (request_.fuse) fuse(plan);
    choose_storage(plan);
    return plan;
  }

 private:
  kernels::Problem problem(int layer, Pass pass, LayoutFamily family) const {
    kernels::Problem p = analysis_.problem(layer, pass);
    p.family = family;
    return p;
  }

  // A request for all layers concerns those whose operator has a kernel of that name.
  std::string requested_entry(int index) const {
    const graph::Layer& layer = analysis_.graph().layers()[static_cast<std::size_t>(index)];
    if (const auto own = request_.kernels.find(layer.name); own != request_.kernels.end()) return own->second;
    const auto all = request_.kernels.find("*");
    if (all == request_.kernels.end()) return {};
    return kernels::find(catalog_, layer.kind->op, all->second) == nullptr ? std::string() : all->second;
  }

  // The cheapest entry that supports the pass in the family, or in the plain one.
  base::Result<Choice> choose(int layer, Pass pass, std::vector<PassedOver>& passed_over) const {
    const std::string& name = analysis_.graph().layers()[static_cast<std::size_t>(layer)].name;
    const std::string wanted = requested_entry(layer);
    std::string refusals;
    for (const LayoutFamily family : {family_, LayoutFamily::plain}) {
      const kernels::Problem p = problem(layer, pass, family);
      std::optional<Choice> best;
      double best_seconds = std::numeric_limits<double>::infinity();
      for (const KernelEntry& entry : catalog_) {
        if (entry.op != "*" && entry.op != p.kind->op) continue;
        if (!wanted.empty() && entry.name != wanted) continue;
        if (const base::Verdict verdict = entry.supports(p); !verdict) {
          passed_over.push_back(
              {name, pass, base::str(entry.name, "/", kernels::name(family)), verdict.reason().text});
          refusals += base::str(refusals.empty() ? "" : "; ", entry.name, "/", kernels::name(family), ": ",
                                verdict.reason().text);
          continue;
        }
        const double seconds = entry.seconds(p, machine_);
        if (seconds < best_seconds) {
          best_seconds = seconds;
          best = Choice{std::string(entry.name), family};
        }
      }
      if (best) return *best;
    }
    if (refusals.empty()) refusals = base::str("no kernel '", wanted, "' for this operator");
    return base::Reason{base::str("layer ", name, ", ", kernels::name(pass), ": ", refusals)};
  }

  kernels::KernelTraits traits(int layer, Pass pass, const Choice& choice) const {
    const kernels::Problem p = problem(layer, pass, choice.family);
    return kernels::find(catalog_, p.kind->op, choice.entry)->make(p)->traits();
  }

  bool serves_all(int layer, const LayerPlan& plan, const KernelEntry& entry, LayoutFamily family) const {
    if (entry.op != "*" && entry.op != analysis_.graph().layers()[static_cast<std::size_t>(layer)].kind->op)
      return false;
    return std::all_of(plan.passes.begin(), plan.passes.end(), [&](const auto& pass_choice) {
      return entry.supports(problem(layer, pass_choice.first, family)).ok();
    });
  }

  // Where forward saves something, every pass must be the same entry's: takes the one with the least total.
  void unify_if_saved(int layer, LayerPlan& plan) const {
    if (plan.passes.size() < 2) return;
    const Choice first = plan.passes.at(Pass::forward);
    const bool alike = std::all_of(plan.passes.begin(), plan.passes.end(),
                                   [&](const auto& pass_choice) { return pass_choice.second == first; });
    if (alike) return;
    std::int64_t saved = 0;
    for (const auto& [pass, choice] : plan.passes) saved += traits(layer, pass, choice).saved_bytes;
    if (saved == 0) return;
    std::optional<std::map<Pass, Choice>> best;
    double best_seconds = std::numeric_limits<double>::infinity();
    const std::string wanted = requested_entry(layer);
    for (const LayoutFamily family : {family_, LayoutFamily::plain}) {
      for (const KernelEntry& entry : catalog_) {
        if (!serves_all(layer, plan, entry, family) || (!wanted.empty() && entry.name != wanted)) continue;
        std::map<Pass, Choice> passes;
        double seconds = 0;
        for (const auto& [pass, old] : plan.passes) {
          passes[pass] = {std::string(entry.name), family};
          seconds += entry.seconds(problem(layer, pass, family), machine_);
        }
        if (seconds >= best_seconds) continue;
        best_seconds = seconds;
        best = std::move(passes);
      }
    }
    if (best) plan.passes = *std::move(best);
  }

  void fuse(Plan& plan) const {
    for (int i = 0; i < static_cast<int>(plan.layers.size()); ++i) {
      const int producer = analysis_.fusion_producer(i);
      if (producer < 0) continue;
      const LayerPlan& before = plan.layers[static_cast<std::size_t>(producer)];
      if (before.fused_into_producer) continue;
      const Choice& choice = before.passes.at(Pass::forward);
      kernels::Problem p = problem(producer, Pass::forward, choice.family);
      p.epilogue = kernels::Epilogue::relu;
      if (!kernels::find(catalog_, p.kind->op, choice.entry)->supports(p)) continue;
      const bool reads_output = std::any_of(before.passes.begin(), before.passes.end(), [&](const auto& pc) {
        if (pc.first == Pass::forward) return false;
        const auto reads = traits(producer, pc.first, pc.second).reads_outputs;
        return std::find(reads.begin(), reads.end(), true) != reads.end();
      });
      if (reads_output) continue;
      LayerPlan& relu = plan.layers[static_cast<std::size_t>(i)];
      relu.fused_into_producer = true;
      relu.passes.erase(Pass::forward);
    }
  }

  // A parameter that every one of its kernels wants in the same layout is stored in it.
  void choose_storage(Plan& plan) const {
    for (int i = 0; i < static_cast<int>(plan.layers.size()); ++i) {
      const graph::Signature& signature = analysis_.shapes().signatures[static_cast<std::size_t>(i)];
      const LayerPlan& layer = plan.layers[static_cast<std::size_t>(i)];
      std::map<std::string, std::set<std::string>> wanted;
      for (const auto& [pass, choice] : layer.passes) {
        const kernels::KernelTraits t = traits(i, pass, choice);
        for (std::size_t k = 0; k < signature.params.size(); ++k)
          wanted[layer.layer + "." + signature.params[k].name].insert(t.params[k].tag());
      }
      for (const auto& [segment, tags] : wanted)
        if (tags.size() == 1 && *tags.begin() != "plain") plan.storage[segment] = *tags.begin();
    }
  }

  const Analysis& analysis_;
  const PlanRequest& request_;
  const machine::Machine& machine_;
  const kernels::Catalog& catalog_;
  LayoutFamily family_;
};

base::Verdict check_names(const graph::Graph& graph, const PlanRequest& request,
                          const kernels::Catalog& catalog) {
  std::set<std::string_view> known = {"*"};
  for (const graph::Layer& layer : graph.layers()) known.insert(layer.name);
  for (const auto& [layer, entry] : request.kernels)
    if (!known.contains(layer))
      return base::Reason{base::str("no layer '", layer, "' in ", graph.name(), " to use kernel ", entry)};
  const auto all = request.kernels.find("*");
  if (all != request.kernels.end() && std::none_of(catalog.begin(), catalog.end(), [&](const KernelEntry& e) {
        return e.name == all->second;
      }))
    return base::Reason{base::str("no kernel '", all->second, "' for any operator")};
  return {};
}

}  // namespace

base::Result<Resolution> resolve(const graph::Graph& graph, const PlanRequest& request,
                                 const StepConfig& config, const machine::Machine& machine,
                                 const kernels::Catalog& catalog) {
  if (const base::Verdict names = check_names(graph, request, catalog); !names) return names.reason();
  const Analysis analysis(graph, config);
  std::vector<LayoutFamily> families(std::begin(kernels::kLayoutFamilies), std::end(kernels::kLayoutFamilies));
  if (request.layout) families = {*request.layout};
  std::optional<Resolution> best;
  for (const LayoutFamily family : families) {
    Resolution candidate;
    auto plan = FamilyResolver(analysis, request, machine, catalog, family).run(candidate.passed_over);
    if (!plan) return plan.reason();
    candidate.plan = std::move(plan).value();
    const auto program = lower(graph, candidate.plan, config, catalog);
    if (!program) return program.reason();
    candidate.predicted_seconds = estimate(*program, machine, catalog).seconds;
    if (!best || candidate.predicted_seconds < best->predicted_seconds) best = std::move(candidate);
  }
  return *std::move(best);
}

}  // namespace convoy::plan
