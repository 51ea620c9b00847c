#include "convoy/plan/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "convoy/base/threads.h"
#include "convoy/plan/analysis.h"
#include "convoy/plan/estimate.h"
#include "convoy/plan/lower.h"
#include "convoy/plan/memory.h"
#include "convoy/plan/memory_budget.h"

namespace convoy::plan {
namespace {

using kernels::KernelEntry;
using kernels::LayoutFamily;
using kernels::Pass;

// "183 us", "1.20 ms"
std::string time_text(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.3g} us", seconds * 1e6);
  return seconds < 1 ? fmt::format("{:.3g} ms", seconds * 1e3) : fmt::format("{:.3g} s", seconds);
}

std::string cost_text(const KernelCost& cost) {
  return fmt::format("{} {}", time_text(cost.seconds), cost.measured ? "measured" : "predicted");
}

// Completes a request within one family of layouts.
class FamilyResolver {
 public:
  FamilyResolver(const Analysis& analysis, const PlanRequest& request, const KernelCosts& costs,
                 const kernels::Catalog& catalog, LayoutFamily family)
      : analysis_(analysis),
        request_(request),
        finder_(analysis, request, catalog),
        costs_(costs),
        catalog_(catalog),
        family_(family) {}

  base::Verdict run(Plan& plan) {
    plan.share_memory = request_.share_memory;
    plan.threads = base::thread_count();
    const auto& layers = analysis_.graph().layers();
    for (int i = 0; i < static_cast<int>(layers.size()); ++i) {
      LayerPlan layer{.layer = layers[static_cast<std::size_t>(i)].name};
      for (const Pass pass : analysis_.passes(i)) {
        auto choice = choose(i, pass);
        if (!choice) return choice.reason();
        layer.passes[pass] = std::move(choice).value();
      }
      unify_if_saved(i, layer);
      plan.layers.push_back(std::move(layer));
    }
    if (request_.fuse) fuse(plan);
    choose_storage(plan);
    return {};
  }

  // Fills chosen and passed_over.
  void explain(Resolution& resolution) const {
    for (int i = 0; i < static_cast<int>(resolution.plan.layers.size()); ++i) {
      const LayerPlan& layer = resolution.plan.layers[static_cast<std::size_t>(i)];
      for (const auto& [pass, choice] : layer.passes) {
        const kernels::Problem p = problem(i, pass, choice);
        const Candidate candidate{kernels::find(catalog_, p.kind->op, choice.entry), choice.family,
                                  choice.bf16};
        const Chosen chosen{layer.layer, pass, choice, cost(i, pass, candidate)};
        pass_over(i, chosen, resolution.passed_over);
        resolution.chosen.push_back(chosen);
      }
    }
  }

 private:
  // Of a choice or a candidate.
  template <class C>
  kernels::Problem problem(int layer, Pass pass, const C& choice) const {
    return analysis_.problem(layer, pass, choice.family, choice.bf16);
  }

  KernelCost cost(int layer, Pass pass, const Candidate& candidate) const {
    return costs_.of(*candidate.entry, problem(layer, pass, candidate));
  }

  // What a candidate costs where its neighbours keep bf16: a float32 kernel also has its arrays converted.
  double seconds(int layer, Pass pass, const Candidate& candidate) const {
    const double own = cost(layer, pass, candidate).seconds;
    if (!analysis_.config().bf16 || candidate.bf16) return own;
    const kernels::Problem p = problem(layer, pass, candidate);
    std::int64_t elements = 0;
    for (const std::vector<tensor::Shape>* shapes : {&p.inputs, &p.outputs})
      for (const tensor::Shape& shape : *shapes) elements += shape.count();
    constexpr double kBytes = 2 + 4;
    return own + kBytes * static_cast<double>(elements) / costs_.machine.memory_bandwidth;
  }

  // The cheapest candidate.
  base::Result<Choice> choose(int layer, Pass pass) const {
    std::vector<PassedOver> ignored;
    const auto candidates = finder_.find(layer, pass, family_, ignored);
    if (!candidates) return candidates.reason();
    const Candidate* best = nullptr;
    double best_seconds = std::numeric_limits<double>::infinity();
    for (const Candidate& candidate : *candidates) {
      const double time = seconds(layer, pass, candidate);
      if (best != nullptr && time >= best_seconds) continue;
      best = &candidate;
      best_seconds = time;
    }
    return best->choice();
  }

  kernels::KernelTraits traits(int layer, Pass pass, const Choice& choice) const {
    const kernels::Problem p = problem(layer, pass, choice);
    return kernels::find(catalog_, p.kind->op, choice.entry)->make(p)->traits();
  }

  // The choice of every pass, if this one entry in this family may serve them all.
  std::optional<std::map<Pass, Choice>> by_one(int layer, const LayerPlan& plan, const Candidate& one) const {
    std::map<Pass, Choice> passes;
    std::vector<PassedOver> ignored;
    for (const auto& [pass, old] : plan.passes) {
      const auto candidates = finder_.find(layer, pass, one.family, ignored);
      if (!candidates || std::find(candidates->begin(), candidates->end(), one) == candidates->end())
        return std::nullopt;
      passes[pass] = one.choice();
    }
    return passes;
  }

  // Every entry in the layouts and types that the step has.
  std::vector<Candidate> candidates_for_all() const {
    std::vector<Candidate> all;
    for (const LayoutFamily family : {family_, LayoutFamily::plain})
      for (const KernelEntry& entry : catalog_) {
        if (analysis_.config().bf16) all.push_back({&entry, family, true});
        all.push_back({&entry, family});
      }
    return all;
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
    for (const Candidate& one : candidates_for_all()) {
      auto passes = by_one(layer, plan, one);
      if (!passes) continue;
      double time = 0;
      for (const auto& [pass, choice] : *passes) time += seconds(layer, pass, one);
      if (time >= best_seconds) continue;
      best_seconds = time;
      best = std::move(passes);
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
      kernels::Problem p = problem(producer, Pass::forward, choice);
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
      if (differentiates_relu(producer, before)) relu.passes.erase(Pass::backward_data);
    }
  }

  bool differentiates_relu(int layer, const LayerPlan& plan) const {
    const auto joint = plan.passes.find(Pass::backward);
    if (joint == plan.passes.end()) return false;
    kernels::Problem p = problem(layer, Pass::backward, joint->second);
    p.epilogue = kernels::Epilogue::relu;
    return kernels::find(catalog_, p.kind->op, joint->second.entry)->supports(p).ok();
  }

  // A parameter that every one of its kernels wants in the same layout is stored in it. Kernels that read it
  // as bf16 get a copy anyhow.
  void choose_storage(Plan& plan) const {
    for (int i = 0; i < static_cast<int>(plan.layers.size()); ++i) {
      const graph::Signature& signature = analysis_.shapes().signatures[static_cast<std::size_t>(i)];
      const LayerPlan& layer = plan.layers[static_cast<std::size_t>(i)];
      std::map<std::string, std::set<std::string>> wanted;
      for (const auto& [pass, choice] : layer.passes) {
        const kernels::KernelTraits t = traits(i, pass, choice);
        for (std::size_t k = 0; k < signature.params.size(); ++k)
          if (pass == Pass::backward_weights || !reads_as_bf16(t, k))
            wanted[layer.layer + "." + signature.params[k].name].insert(t.params[k].tag());
      }
      for (const auto& [segment, tags] : wanted)
        if (tags.size() == 1 && *tags.begin() != "plain") plan.storage[segment] = *tags.begin();
    }
  }

  static bool reads_as_bf16(const kernels::KernelTraits& traits, std::size_t param) {
    return !traits.param_types.empty() && traits.param_types[param] == tensor::DType::bf16;
  }

  // The other entries, each in the family of layouts that suits it best, and those that serve in none.
  void pass_over(int layer, const Chosen& chosen, std::vector<PassedOver>& passed_over) const {
    const AllCandidates all = finder_.find_all(layer, chosen.pass).value();
    std::map<std::pair<std::string_view, bool>, std::pair<Candidate, KernelCost>> others;
    for (const Candidate& candidate : all.candidates) {
      if (candidate.entry->name == chosen.choice.entry && candidate.bf16 == chosen.choice.bf16) continue;
      const KernelCost other = cost(layer, chosen.pass, candidate);
      const auto [place, is_new] =
          others.try_emplace({candidate.entry->name, candidate.bf16}, candidate, other);
      if (!is_new && other.seconds < place->second.second.seconds) place->second = {candidate, other};
    }
    for (const auto& [name, found] : others) {
      const auto& [candidate, other] = found;
      const bool other_layouts = other.seconds < chosen.cost.seconds;
      passed_over.push_back(
          {chosen.layer, chosen.pass, plan::str(candidate.choice()),
           fmt::format("{}; {} takes {}{}", cost_text(other), plan::str(chosen.choice),
                       cost_text(chosen.cost), other_layouts ? ", and the net prefers its layouts" : ""),
           other.seconds, other.measured});
    }
    passed_over.insert(passed_over.end(), all.refused.begin(), all.refused.end());
  }

  const Analysis& analysis_;
  const PlanRequest& request_;
  CandidateFinder finder_;
  const KernelCosts& costs_;
  const kernels::Catalog& catalog_;
  LayoutFamily family_;
};

base::Verdict recompute_as_requested(const Program& kept, const PlanRequest& request,
                                     const KernelCosts& costs, const kernels::Catalog& catalog,
                                     Resolution& resolution) {
  const auto chosen = choose_recomputed(kept, request, costs, catalog);
  if (!chosen) return chosen.reason();
  for (std::size_t i = 0; i < chosen->layers.size(); ++i)
    resolution.plan.layers[i].recomputed = chosen->layers[i];
  resolution.memory_bytes = chosen->memory_bytes;
  resolution.recompute_seconds = chosen->seconds;
  resolution.predicted_seconds += chosen->seconds;
  return {};
}

}  // namespace

base::Result<Resolution> resolve(const graph::Graph& graph, const PlanRequest& request,
                                 const StepConfig& config, const KernelCosts& costs,
                                 const kernels::Catalog& catalog) {
  const Analysis analysis(graph, config);
  const CandidateFinder finder(analysis, request, catalog);
  if (const base::Verdict verdict = finder.check(); !verdict) return verdict.reason();
  std::optional<Resolution> best;
  Program kept;
  std::vector<FamilyCost> families;
  // Where a step may keep bf16, float32 throughout is one more possibility: it needs no conversions.
  StepConfig without_bf16 = config;
  without_bf16.bf16 = false;
  const Analysis wide(graph, without_bf16);
  std::vector<const Analysis*> precisions = {&analysis};
  if (config.bf16) precisions.push_back(&wide);
  for (const LayoutFamily family : finder.families()) {
    double family_seconds = std::numeric_limits<double>::infinity();
    for (const Analysis* precision : precisions) {
      Resolution candidate{.family = family};
      FamilyResolver resolver(*precision, request, costs, catalog, family);
      if (const auto verdict = resolver.run(candidate.plan); !verdict) return verdict.reason();
      auto program = lower(graph, candidate.plan, config, catalog);
      if (!program) return program.reason();
      candidate.predicted_seconds = estimate(*program, costs, catalog).seconds;
      family_seconds = std::min(family_seconds, candidate.predicted_seconds);
      if (best && candidate.predicted_seconds >= best->predicted_seconds) continue;
      best = std::move(candidate);
      kept = std::move(program).value();
    }
    families.push_back({family, family_seconds});
  }
  best->families = std::move(families);
  FamilyResolver(analysis, request, costs, catalog, best->family).explain(*best);
  if (const auto verdict = recompute_as_requested(kept, request, costs, catalog, *best); !verdict)
    return verdict.reason();
  return *std::move(best);
}

}  // namespace convoy::plan
