// One update step over a whole arena.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "convoy/base/threads.h"
#include "convoy/optim/update_rule.h"
#include "convoy/tensor/param_layout.h"

namespace convoy::optim {

// Arenas in `layout`, which is float32, and the settings of one step.
struct ArenaUpdate {
  const tensor::ParamLayout& layout;
  std::span<float> weights;
  std::span<const float> gradients;
  std::array<std::span<float>, kMaxSlots> slots;  // the rule's first slot_count() are filled
  double learning_rate = 0;
  double weight_decay = 0;                     // of segments whose role is weight; others have none
  std::int64_t step = 0;                       // updates applied before this one
  std::span<const std::uint8_t> updated = {};  // by segment, or empty: 1 where nothing is left to do
};

// Updates every parameter segment once, in one pass over memory on the team of threads, and leaves padding
// alone. Requires an element-wise rule. Bitwise the same for every number of threads.
void apply(const UpdateRule& rule, const ArenaUpdate& update);

// Updates the elements `range` of one segment by their gradient, on the calling thread; `gradients` of the
// update is not read. Thread-safe for disjoint ranges.
void apply_piece(const UpdateRule& rule, const ArenaUpdate& update, int segment, base::IndexRange range,
                 std::span<const float> gradient) noexcept;

}  // namespace convoy::optim
