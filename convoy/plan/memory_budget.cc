#include "convoy/plan/memory_budget.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>

#include "convoy/plan/estimate.h"
#include "convoy/plan/memory.h"
#include "convoy/plan/recompute.h"

namespace convoy::plan {
namespace {

constexpr int kPrefixes = 48;  // of the order by seconds a byte, tried at even distances

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// A layer with a forward kernel: what its recomputation costs and saves.
struct Unit {
  int layer = -1;
  double seconds = 0;
  std::int64_t bytes = 0;  // that the backward pass would find kept
  bool is_narrow = false;  // behind it, one array at most leads on in the forward pass

  double price() const { return seconds / static_cast<double>(std::max<std::int64_t>(bytes, 1)); }
};

class Planner {
 public:
  Planner(const Program& kept, const PlanRequest& request, const KernelCosts& costs,
          const kernels::Catalog& catalog)
      : kept_(kept), request_(request), backward_(backward_begin(kept)) {
    const Estimate all = estimate(kept, costs, catalog);
    for (const StepCost& step : all.steps) step_seconds_.push_back(step.seconds);
    find_units();
  }

  base::Result<Recomputation> run() {
    const Recomputation none = judge(std::vector<bool>(layer_count(), false));
    if (request_.memory_limit_bytes == 0)
      return request_.recompute == Recompute::none ? none : judge(segmentation(sqrt_length()));
    if (fits(none)) return none;
    smallest_ = none;
    for (int length = 1; length <= static_cast<int>(units_.size()); length = next_length(length))
      consider(segmentation(length));
    for (int k = 1; k <= kPrefixes; ++k) consider(cheapest(static_cast<int>(units_.size()) * k / kPrefixes));
    if (best_) {
      keep_again(*best_, request_.memory_limit_bytes);
      return *best_;
    }
    // To keep an array can save memory: it may take the place of what its recomputation reads.
    while (keep_again(smallest_, std::nullopt)) continue;
    if (!fits(smallest_)) return refusal();
    return smallest_;
  }

 private:
  std::size_t layer_count() const {
    int last = -1;
    for (const Step& step : kept_.steps) last = std::max(last, step.layer);
    return at(last + 1);
  }

  // --- what there is ------------------------------------------------------------------------------------

  void find_units() {
    const std::vector<Lifetime> used = lifetimes(kept_);
    const std::vector<int> crossing = crossing_arrays();
    for (int i = 0; i < backward_; ++i) {
      const Step& step = kept_.steps[at(i)];
      if (step.kind != StepKind::compute) continue;
      Unit unit{.layer = step.layer, .seconds = step_seconds_[at(i)], .is_narrow = crossing[at(i)] <= 1};
      for (const int slot : step.writes())
        if (kept_.slots[at(slot)].region == Region::arena && used[at(slot)].last >= backward_)
          unit.bytes += kept_.slots[at(slot)].bytes;
      units_.push_back(unit);
    }
  }

  // By forward step: how many arrays written up to it, by a layer, the forward pass still reads behind it.
  std::vector<int> crossing_arrays() const {
    std::vector<int> first(kept_.slots.size(), -1), last(kept_.slots.size(), -1);
    for (int i = 0; i < backward_; ++i) {
      const Step& step = kept_.steps[at(i)];
      for (const int slot : step.writes())
        if (step.kind == StepKind::compute) first[at(slot)] = i;
      for (const int slot : step.reads()) last[at(slot)] = i;
    }
    std::vector<int> change(at(backward_) + 1, 0);
    for (std::size_t s = 0; s < first.size(); ++s)
      if (first[s] >= 0 && last[s] > first[s]) {
        ++change[at(first[s])];
        --change[at(last[s])];
      }
    std::partial_sum(change.begin(), change.end(), change.begin());
    return change;
  }

  // --- candidates ---------------------------------------------------------------------------------------

  int sqrt_length() const {
    return std::max(1, static_cast<int>(std::lround(std::sqrt(static_cast<double>(units_.size())))));
  }

  // All lengths up to twice the root, and then ever fewer.
  int next_length(int length) const { return length + std::max(1, length - 2 * sqrt_length()); }

  // All but a checkpoint every `length` layers, or up to as many later where the net is narrow there; and but
  // what follows the last checkpoint, which the backward pass needs at once.
  std::vector<bool> segmentation(int length) const {
    std::vector<bool> layers(layer_count(), false);
    std::vector<int> open;  // layers since the last checkpoint
    for (const Unit& unit : units_) {
      const int since = static_cast<int>(open.size()) + 1;
      if (since < length || (!unit.is_narrow && since < 2 * length)) {
        open.push_back(unit.layer);
        continue;
      }
      for (const int layer : open) layers[at(layer)] = true;
      open.clear();
    }
    return layers;
  }

  // The first `count` of the layers in order of what a byte costs.
  std::vector<bool> cheapest(int count) const {
    std::vector<Unit> order = units_;
    std::stable_sort(order.begin(), order.end(),
                     [](const Unit& a, const Unit& b) { return a.price() < b.price(); });
    std::vector<bool> layers(layer_count(), false);
    for (int k = 0; k < count; ++k) layers[at(order[at(k)].layer)] = true;
    return layers;
  }

  // --- judgement ----------------------------------------------------------------------------------------

  Recomputation judge(std::vector<bool> layers) const {
    Program program = kept_;
    const std::vector<int> repeated = recompute(program, layers);
    plan_memory(program, request_.share_memory);
    Recomputation result{.layers = std::move(layers),
                         .memory_bytes = training_memory(program, request_.optimizer_slots).total()};
    for (const int step : repeated) result.seconds += step_seconds_[at(step)];
    return result;
  }

  bool fits(const Recomputation& candidate) const {
    return candidate.memory_bytes <= request_.memory_limit_bytes;
  }

  void consider(const std::vector<bool>& layers) {
    if (!tried_.insert(layers).second) return;
    Recomputation candidate = judge(layers);
    if (candidate.memory_bytes < smallest_.memory_bytes) smallest_ = candidate;
    if (!fits(candidate) || (best_ && candidate.seconds >= best_->seconds)) return;
    best_ = std::move(candidate);
  }

  // Keeps layers of the choice again, the dearest first, where that needs no more than `limit_bytes`, or,
  // without a limit, no more than before. Returns whether it found one.
  bool keep_again(Recomputation& choice, std::optional<std::int64_t> limit_bytes) const {
    bool found = false;
    std::vector<Unit> order = units_;
    std::stable_sort(order.begin(), order.end(),
                     [](const Unit& a, const Unit& b) { return a.price() > b.price(); });
    for (const Unit& unit : order) {
      if (!choice.layers[at(unit.layer)]) continue;
      std::vector<bool> layers = choice.layers;
      layers[at(unit.layer)] = false;
      Recomputation candidate = judge(std::move(layers));
      if (candidate.memory_bytes > limit_bytes.value_or(choice.memory_bytes)) continue;
      choice = std::move(candidate);
      found = true;
    }
    return found;
  }

  base::Reason refusal() const {
    return base::Reason{base::str("a training step does not fit into ", request_.memory_limit_bytes,
                                  " bytes of memory by recomputation; the smallest that it can is ",
                                  smallest_.memory_bytes, ", for which a smaller batch helps")};
  }

  const Program& kept_;
  const PlanRequest& request_;
  int backward_;
  std::vector<double> step_seconds_;
  std::vector<Unit> units_;  // in the order of the forward pass
  std::set<std::vector<bool>> tried_;
  Recomputation smallest_;
  std::optional<Recomputation> best_;
};

}  // namespace

base::Result<Recomputation> choose_recomputed(const Program& kept, const PlanRequest& request,
                                              const KernelCosts& costs, const kernels::Catalog& catalog) {
  return Planner(kept, request, costs, catalog).run();
}

}  // namespace convoy::plan
