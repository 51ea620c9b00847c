// The vector loop that the update rules share. Compiled once a Highway target: include it after highway.h.
#if defined(CONVOY_OPTIM_FUSED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_OPTIM_FUSED_INL_H_
#undef CONVOY_OPTIM_FUSED_INL_H_
#else
#define CONVOY_OPTIM_FUSED_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "convoy/optim/update_rule.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::optim::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

// Rounds to float32 once, then fills a vector.
inline Vector broadcast(double value) { return hn::Set(Floats(), static_cast<float>(value)); }

// The arrays that one step reads and writes, at one position.
struct Pointers {
  float* weights;
  const float* gradients;
  std::array<float*, kMaxSlots> slots;
};

// One vector of elements: g <- g + λ w in one rounding, then the rule. `rule` is called as
// rule(w, g, slot0, slot1) and changes w and its slots; slots beyond `kSlots` are not memory.
template <int kSlots, class Rule>
HWY_INLINE void update_vector(const Pointers& at, std::size_t i, Vector decay, const Rule& rule) {
  const Floats d;
  Vector w = hn::LoadU(d, at.weights + i);
  const Vector g = hn::MulAdd(decay, w, hn::LoadU(d, at.gradients + i));
  Vector first = hn::Zero(d), second = hn::Zero(d);
  if constexpr (kSlots > 0) first = hn::LoadU(d, at.slots[0] + i);
  if constexpr (kSlots > 1) second = hn::LoadU(d, at.slots[1] + i);
  rule(w, g, first, second);
  hn::StoreU(w, d, at.weights + i);
  if constexpr (kSlots > 0) hn::StoreU(first, d, at.slots[0] + i);
  if constexpr (kSlots > 1) hn::StoreU(second, d, at.slots[1] + i);
}

// The last, partial vector goes through padded copies and the same vector instructions, because a scalar
// loop could round differently and bits would depend on where a range ends.
template <int kSlots, class Rule>
HWY_NOINLINE void update_tail(const Pointers& at, std::size_t begin, std::size_t count, Vector decay,
                              const Rule& rule) {
  HWY_ALIGN float weights[HWY_MAX_BYTES / sizeof(float)] = {};
  HWY_ALIGN float gradients[HWY_MAX_BYTES / sizeof(float)] = {};
  HWY_ALIGN float slots[kMaxSlots][HWY_MAX_BYTES / sizeof(float)] = {};
  std::copy_n(at.weights + begin, count, weights);
  std::copy_n(at.gradients + begin, count, gradients);
  for (int s = 0; s < kSlots; ++s) std::copy_n(at.slots[s] + begin, count, slots[s]);
  update_vector<kSlots>({weights, gradients, {slots[0], slots[1]}}, 0, decay, rule);
  std::copy_n(weights, count, at.weights + begin);
  for (int s = 0; s < kSlots; ++s) std::copy_n(slots[s], count, at.slots[s] + begin);
}

// Applies `rule` to every element of the range in one pass over memory.
template <int kSlots, class Rule>
HWY_INLINE void update_all(const UpdateRange& range, const Rule& rule) {
  const std::size_t count = range.weights.size(), lanes = hn::Lanes(Floats());
  const Pointers at{
      range.weights.data(), range.gradients.data(), {range.slots[0].data(), range.slots[1].data()}};
  const Vector decay = broadcast(range.weight_decay);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) update_vector<kSlots>(at, i, decay, rule);
  if (i < count) update_tail<kSlots>(at, i, count - i, decay, rule);
}

}  // namespace convoy::optim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
