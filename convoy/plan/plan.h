// The plan: which kernel in which family of layouts serves each pass of each layer. Small and printable; it
// changes speed and memory, never meaning.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/kernels/kernel.h"

namespace convoy::plan {

// One pass's kernel: an entry of the catalog, the layouts it works in, and whether it works on bf16
// activations.
struct Choice {
  std::string entry;
  kernels::LayoutFamily family = kernels::LayoutFamily::plain;
  bool bf16 = false;
  friend bool operator==(const Choice&, const Choice&) = default;
};
std::string str(const Choice& choice);  // "onednn/blocked", "onednn/blocked/bf16"

// The choices of one layer. A pass that the layer does not need has none.
struct LayerPlan {
  std::string layer;
  std::map<kernels::Pass, Choice> passes;
  // A Relu that the layer before it applies in its epilogue; without a backward_data of its own, that layer's
  // backward pass applies its derivative as well.
  bool fused_into_producer = false;
  // What its forward pass writes is not kept for the backward pass but computed again there
  // (plan/recompute.h). A layer without a forward kernel of its own has nothing to keep.
  bool recomputed = false;
  friend bool operator==(const LayerPlan&, const LayerPlan&) = default;
};

// A resolved plan for every layer of a graph, in graph order.
struct Plan {
  std::vector<LayerPlan> layers;
  // Parameters that the arenas hold in another layout than the plain one, because all their kernels want it:
  // segment name → layout tag. Checkpoints are plain whatever stands here.
  std::map<std::string, std::string> storage;
  int threads = 1;           // size of the compute team
  bool share_memory = true;  // values whose lifetimes do not overlap may lie in the same place

  bool uses_bf16() const;  // in any pass of any layer

  // One line a layer ("conv1 forward=onednn/blocked backward_weights=onednn/blocked", "relu1 fused …", "pool1
  // recomputed …"), one a
  // stored segment ("storage conv1.weight=Acdb16a"), then "threads=2" and "memory=shared". parse reads it
  // back.
  std::string str() const;
  static base::Result<Plan> parse(std::string_view text);
  friend bool operator==(const Plan&, const Plan&) = default;
};

// Which layers are computed again instead of kept, where no memory limit decides it.
enum class Recompute : std::uint8_t { none, sqrt };

// What a person asks for; whatever is open is decided by resolve().
struct PlanRequest {
  std::optional<kernels::LayoutFamily> layout;  // none: automatic
  // Layer name → entry, or the beginning of its name before a colon; "*": wherever one supports the pass;
  // "auto" frees a layer of what "*" asks.
  std::map<std::string, std::string> kernels;
  std::map<std::string, std::string> conv_algorithms;  // the same, of Conv layers only; goes before `kernels`
  bool fuse = true;
  bool share_memory = true;
  std::int64_t workspace_limit_bytes = 0;  // of one kernel's call; 0: none
  // The largest error bound of a convolution's entry, in multiples of the direct sum's
  // (direct_error_growth()); 0: none.
  double error_limit = 0;
  Recompute recompute = Recompute::none;
  std::int64_t memory_limit_bytes = 0;  // of training_memory().total(), met by recomputation; 0: none
  int optimizer_slots = 0;              // arrays of the parameters' size that the update rule keeps
};

}  // namespace convoy::plan
