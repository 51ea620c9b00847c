#include "convoy/plan/adapt.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "convoy/plan/analysis.h"
#include "convoy/plan/candidates.h"

namespace convoy::plan {
namespace {

using kernels::KernelEntry;
using kernels::Pass;
using Passes = std::map<Pass, Choice>;

class Adapter {
 public:
  Adapter(const graph::Graph& graph, const Plan& plan, const StepConfig& config,
          const kernels::Catalog& catalog)
      : graph_(graph),
        analysis_(graph, config),
        finder_(analysis_, request_, catalog),
        catalog_(catalog),
        plan_(plan) {}

  Plan run() {
    if (plan_.layers.size() != graph_.layers().size()) return plan_;
    for (int i = 0; i < static_cast<int>(plan_.layers.size()); ++i)
      if (!fits(i)) replace(i);
    return std::move(plan_);
  }

 private:
  LayerPlan& layer(int i) { return plan_.layers[static_cast<std::size_t>(i)]; }
  const LayerPlan& layer(int i) const { return plan_.layers[static_cast<std::size_t>(i)]; }

  std::vector<Pass> passes(int i) const {
    std::vector<Pass> list = analysis_.passes(i);
    if (layer(i).fused_into_producer) std::erase(list, Pass::forward);
    if (is_absorbed(i)) std::erase(list, Pass::backward_data);
    return list;
  }

  // Whether the derivative of this Relu is left to the layer that applies it.
  bool is_absorbed(int i) const {
    return layer(i).fused_into_producer && !layer(i).passes.contains(Pass::backward_data);
  }

  // The Relu that this layer applies in its epilogue, or -1.
  int fused_relu(int i) const {
    for (int k = 0; k < static_cast<int>(plan_.layers.size()); ++k)
      if (layer(k).fused_into_producer && analysis_.fusion_producer(k) == i) return k;
    return -1;
  }

  kernels::Problem problem(int i, Pass pass, const Choice& choice, bool relu) const {
    kernels::Problem p = analysis_.problem(i, pass, choice.family, choice.bf16);
    if (relu && (pass == Pass::forward || (pass == Pass::backward && is_absorbed(fused_relu(i)))))
      p.epilogue = kernels::Epilogue::relu;
    return p;
  }

  bool serves(int i, Pass pass, const Choice& choice, bool relu) const {
    if (choice.bf16 && !analysis_.config().bf16) return false;
    const kernels::Problem p = problem(i, pass, choice, relu);
    const KernelEntry* entry = kernels::find(catalog_, p.kind->op, choice.entry);
    return entry != nullptr && entry->supports(p).ok();
  }

  // A plan that lacks a choice is incomplete, which lower() refuses.
  bool fits(int i) const {
    const bool relu = fused_relu(i) >= 0;
    for (const Pass pass : passes(i)) {
      const auto choice = layer(i).passes.find(pass);
      if (choice != layer(i).passes.end() && !serves(i, pass, choice->second, relu)) return false;
    }
    return true;
  }

  kernels::KernelTraits traits(int i, Pass pass, const Choice& choice) const {
    const kernels::Problem p = problem(i, pass, choice, false);
    return kernels::find(catalog_, p.kind->op, choice.entry)->make(p)->traits();
  }

  double seconds(int i, Pass pass, const Candidate& candidate) const {
    return candidate.entry->seconds(problem(i, pass, candidate.choice(), false), machine::Machine());
  }

  std::vector<Candidate> candidates(int i, Pass pass) const {
    const auto all = finder_.find_all(i, pass);
    return all ? all->candidates : std::vector<Candidate>();
  }

  Choice cheapest(int i, Pass pass) const {
    std::optional<Candidate> best;
    double best_seconds = std::numeric_limits<double>::infinity();
    for (const Candidate& candidate : candidates(i, pass)) {
      const double time = seconds(i, pass, candidate);
      if (best && time >= best_seconds) continue;
      best = candidate;
      best_seconds = time;
    }
    return best ? best->choice() : layer(i).passes.at(pass);
  }

  // One entry in one family for all passes, as a kernel needs that saves something in forward.
  std::optional<Passes> by_one_entry(int i) const {
    std::optional<Passes> best;
    double best_seconds = std::numeric_limits<double>::infinity();
    for (const Candidate& one : candidates(i, Pass::forward)) {
      Passes choices;
      double time = 0;
      for (const Pass pass : passes(i)) {
        const std::vector<Candidate> others = candidates(i, pass);
        if (std::find(others.begin(), others.end(), one) == others.end()) break;
        choices[pass] = one.choice();
        time += seconds(i, pass, one);
      }
      if (choices.size() != passes(i).size() || time >= best_seconds) continue;
      best_seconds = time;
      best = std::move(choices);
    }
    return best;
  }

  bool saves(int i, const Passes& choices) const {
    return std::any_of(choices.begin(), choices.end(), [&](const auto& pass_choice) {
      return traits(i, pass_choice.first, pass_choice.second).saved_bytes > 0;
    });
  }

  bool reads_outputs(int i, const Passes& choices) const {
    for (const auto& [pass, choice] : choices) {
      if (pass == Pass::forward) continue;
      const std::vector<bool> reads = traits(i, pass, choice).reads_outputs;
      if (std::find(reads.begin(), reads.end(), true) != reads.end()) return true;
    }
    return false;
  }

  void replace(int i) {
    Passes choices;
    for (const Pass pass : passes(i)) choices[pass] = cheapest(i, pass);
    if (choices.size() > 1 && saves(i, choices))
      if (auto one = by_one_entry(i)) choices = *std::move(one);
    if (const int relu = fused_relu(i); relu >= 0 && !fuses(i, choices)) {
      layer(relu).fused_into_producer = false;
      for (const Pass pass : passes(relu)) layer(relu).passes[pass] = cheapest(relu, pass);
    }
    layer(i).passes = std::move(choices);
  }

  bool fuses(int i, const Passes& choices) const {
    const bool served = std::all_of(choices.begin(), choices.end(), [&](const auto& pass_choice) {
      return serves(i, pass_choice.first, pass_choice.second, true);
    });
    return served && !reads_outputs(i, choices);
  }

  const graph::Graph& graph_;
  const PlanRequest request_;
  Analysis analysis_;
  CandidateFinder finder_;
  const kernels::Catalog& catalog_;
  Plan plan_;
};

}  // namespace

Plan adapt(const graph::Graph& graph, const Plan& plan, const StepConfig& config,
           const kernels::Catalog& catalog) {
  return Adapter(graph, plan, config, catalog).run();
}

}  // namespace convoy::plan
