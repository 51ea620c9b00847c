#include <algorithm>
#include <utility>

#include "convoy/plan/analysis.h"
#include "tests/support/random_graph.h"

namespace convoy::testing {
namespace {

using kernels::LayoutFamily;
using kernels::Pass;
using plan::Choice;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

class PlanMaker {
 public:
  PlanMaker(const graph::Graph& graph, const plan::StepConfig& config, const kernels::Catalog& catalog,
            base::RandomStream& random)
      : graph_(graph), analysis_(graph, config), catalog_(catalog), random_(random) {}

  plan::Plan run() {
    plan::Plan plan;
    plan.share_memory = coin();
    for (int i = 0; i < static_cast<int>(graph_.layers().size()); ++i) {
      plan.layers.emplace_back();
      plan.layers.back().layer = graph_.layers()[at(i)].name;
      plan.layers.back().passes = choices(i);
    }
    for (int i = 0; i < static_cast<int>(graph_.layers().size()); ++i) maybe_fuse(plan, i);
    for (int i = 0; i < static_cast<int>(graph_.layers().size()); ++i) maybe_store(plan, i);
    const bool recomputes = coin();
    for (plan::LayerPlan& layer : plan.layers) layer.recomputed = recomputes && coin();
    return plan;
  }

 private:
  using Choices = std::map<Pass, Choice>;

  bool coin() { return random_.below(2) == 0; }

  kernels::Problem problem(int layer, Pass pass, const Choice& choice) const {
    return analysis_.problem(layer, pass, choice.family, choice.bf16);
  }

  kernels::KernelTraits traits(int layer, Pass pass, const Choice& choice) const {
    const std::string_view op = graph_.layers()[at(layer)].kind->op;
    return kernels::find(catalog_, op, choice.entry)->make(problem(layer, pass, choice))->traits();
  }

  std::vector<Choice> supported(int layer, Pass pass) const {
    std::vector<Choice> found;
    for (const kernels::KernelEntry& entry : catalog_) {
      if (entry.op != "*" && entry.op != graph_.layers()[at(layer)].kind->op) continue;
      for (const LayoutFamily family : kernels::kLayoutFamilies) {
        for (const bool bf16 : {false, true}) {
          const Choice choice{std::string(entry.name), family, bf16};
          if (bf16 && !analysis_.config().bf16) continue;
          if (entry.supports(problem(layer, pass, choice)).ok()) found.push_back(choice);
        }
      }
    }
    return found;
  }

  // Whether what forward saves, if anything, reaches kernels that can read it.
  bool fit_together(int layer, const Choices& choices) const {
    bool saves = false, alike = true;
    for (const auto& [pass, choice] : choices) {
      saves = saves || traits(layer, pass, choice).saved_bytes > 0;
      alike = alike && choice == choices.begin()->second;
    }
    return alike || !saves;
  }

  Choices choices(int layer) {
    const std::vector<Pass> passes = analysis_.passes(layer);
    for (int tries = 0; tries < 20; ++tries) {
      Choices choices;
      const std::vector<Choice> forward =
          passes.empty() ? std::vector<Choice>() : supported(layer, passes[0]);
      const bool same = coin() && !forward.empty();
      const Choice common = forward.empty() ? Choice() : forward[random_.below(forward.size())];
      for (const Pass pass : passes) {
        const std::vector<Choice> candidates = supported(layer, pass);
        CONVOY_CHECK(!candidates.empty(), "no kernel for ", graph_.layers()[at(layer)].name);
        const bool may = same && std::find(candidates.begin(), candidates.end(), common) != candidates.end();
        choices[pass] = may ? common : candidates[random_.below(candidates.size())];
      }
      if (fit_together(layer, choices)) return choices;
    }
    Choices reference;
    for (const Pass pass : passes) reference[pass] = {"reference", LayoutFamily::plain};
    return reference;
  }

  // Fused, the producer's own output is never stored.
  bool backward_reads_output(int layer, const Choices& choices) const {
    for (const auto& [pass, choice] : choices) {
      const std::vector<bool> reads = traits(layer, pass, choice).reads_outputs;
      if (pass != Pass::forward && std::find(reads.begin(), reads.end(), true) != reads.end()) return true;
    }
    return false;
  }

  void maybe_fuse(plan::Plan& plan, int layer) {
    const int producer = analysis_.fusion_producer(layer);
    if (producer < 0 || coin() || plan.layers[at(producer)].fused_into_producer) return;
    const Choice& choice = plan.layers[at(producer)].passes.at(Pass::forward);
    if (backward_reads_output(producer, plan.layers[at(producer)].passes)) return;
    kernels::Problem fused = problem(producer, Pass::forward, choice);
    fused.epilogue = kernels::Epilogue::relu;
    if (!kernels::find(catalog_, fused.kind->op, choice.entry)->supports(fused).ok()) return;
    plan.layers[at(layer)].fused_into_producer = true;
    plan.layers[at(layer)].passes.erase(Pass::forward);
  }

  // Some parameters live in the layout that one of their kernels wants.
  void maybe_store(plan::Plan& plan, int layer) {
    for (const auto& [pass, choice] : plan.layers[at(layer)].passes) {
      const auto& params = analysis_.shapes().signatures[at(layer)].params;
      const kernels::KernelTraits wanted = traits(layer, pass, choice);
      for (std::size_t k = 0; k < params.size(); ++k)
        if (!wanted.params[k].is_plain() && params[k].kind == tensor::SegmentKind::parameter && coin())
          plan.storage[plan.layers[at(layer)].layer + "." + params[k].name] = wanted.params[k].tag();
    }
  }

  const graph::Graph& graph_;
  plan::Analysis analysis_;
  const kernels::Catalog& catalog_;
  base::RandomStream& random_;
};

}  // namespace

plan::Plan random_plan(const graph::Graph& graph, const plan::StepConfig& config,
                       const kernels::Catalog& catalog, base::RandomStream& random) {
  return PlanMaker(graph, config, catalog, random).run();
}

}  // namespace convoy::testing
