// Update rules: from weights, gradients and an optimiser's state to new weights.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "convoy/base/result.h"

namespace convoy::optim {

inline constexpr int kMaxSlots = 2;

// Hyper-parameters of all rules; each reads its own.
struct UpdateConfig {
  double momentum = 0.9;           // momentum, nesterov
  double epsilon = 0;              // 0: the rule's own (adagrad 1e-10; rmsprop, adam 1e-8)
  double decay = 0.99;             // rmsprop: α of the running mean square
  double beta1 = 0.9;              // adam
  double beta2 = 0.999;            // adam
  double initial_accumulator = 0;  // adagrad
};

// One contiguous range of the arena and the settings that hold for it.
struct UpdateRange {
  std::span<float> weights;
  std::span<const float> gradients;
  std::array<std::span<float>, kMaxSlots> slots;  // the rule's first slot_count() are filled
  double learning_rate = 0;
  double weight_decay = 0;  // λ: the rule sees g + λ w
  std::int64_t step = 0;    // updates applied before this one
};

// What a rule must see at once. Only element-wise rules may be fused into the readiness of a gradient.
enum class UpdateScope : std::uint8_t { element, segment_norm, global_norm };

class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  virtual std::string_view name() const = 0;
  virtual UpdateScope scope() const = 0;
  // Arrays of the arena's size that the rule keeps between steps; all start at initial_slot_value().
  virtual int slot_count() const = 0;
  virtual std::string_view slot_name(int slot) const = 0;  // "momentum", "square"
  virtual float initial_slot_value() const { return 0; }
  // Updates weights and slots in one pass. Element i's new values depend on element i alone and on no other
  // element's position, thread or range: any split of a range gives the same bits. Thread-safe for disjoint
  // ranges.
  virtual void update(const UpdateRange& range) const noexcept = 0;
};

struct ReferenceElement;  // optim/reference.h

// One line of the catalog (optim/catalog.cc).
struct UpdateRuleKind {
  std::string_view name;         // sgd momentum nesterov adagrad rmsprop adam
  std::string_view description;  // its equation, for --help
  // Refuses settings out of range.
  base::Result<std::unique_ptr<UpdateRule>> (*make)(const UpdateConfig&);
  // The same step of one element in float64, written from the equation: what the conformance suite compares.
  void (*reference)(const UpdateConfig&, ReferenceElement&);
};

std::span<const UpdateRuleKind> update_rule_catalog();
// Refuses an unknown name, listing the known ones, and settings out of range.
base::Result<std::unique_ptr<UpdateRule>> make_update_rule(std::string_view name, const UpdateConfig& config);

}  // namespace convoy::optim
