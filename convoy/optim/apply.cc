#include "convoy/optim/apply.h"

#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/base/threads.h"

namespace convoy::optim {
namespace {

// Below this much work a second thread costs more than it saves: 16 Ki elements are some 5 µs, a fork and
// join of the team 1 to 3.
constexpr std::int64_t kGrain = 16 * 1024;

template <class T>
std::span<T> part(std::span<T> arena, base::IndexRange range) {
  return arena.subspan(static_cast<std::size_t>(range.begin), static_cast<std::size_t>(range.size()));
}

void check_sizes(const UpdateRule& rule, const ArenaUpdate& update) {
  CONVOY_CHECK(rule.scope() == UpdateScope::element, rule.name(), " is not element-wise");
  const auto extent = static_cast<std::size_t>(update.layout.parameter_extent);
  CONVOY_CHECK(update.layout.type == tensor::DType::f32, "arena of ", tensor::name(update.layout.type));
  CONVOY_CHECK(update.weights.size() == extent, update.weights.size(), " weights for ", extent);
  CONVOY_CHECK(update.gradients.size() == extent, update.gradients.size(), " gradients for ", extent);
  for (int s = 0; s < rule.slot_count(); ++s)
    CONVOY_CHECK(update.slots[static_cast<std::size_t>(s)].size() == extent, "slot ", s, " of ", rule.name());
}

// The elements `range` of the arena, which lie in one segment.
void update_elements(const UpdateRule& rule, const ArenaUpdate& update, const tensor::Segment& segment,
                     base::IndexRange range, std::span<const float> gradients) noexcept {
  UpdateRange piece{.weights = part(update.weights, range),
                    .gradients = gradients,
                    .slots = {},
                    .learning_rate = update.learning_rate,
                    .weight_decay = segment.role == tensor::ParamRole::weight ? update.weight_decay : 0,
                    .step = update.step};
  for (std::size_t s = 0; s < static_cast<std::size_t>(rule.slot_count()); ++s)
    piece.slots[s] = part(update.slots[s], range);
  rule.update(piece);
}

// The part of the segment that lies in `range` of the arena.
void update_part(const UpdateRule& rule, const ArenaUpdate& update, const tensor::Segment& segment,
                 base::IndexRange range) {
  range.begin = std::max(range.begin, segment.offset);
  range.end = std::min(range.end, segment.offset + segment.count);
  if (range.size() > 0) update_elements(rule, update, segment, range, part(update.gradients, range));
}

bool is_left(const ArenaUpdate& update, std::size_t segment) {
  return update.layout.segments[segment].kind == tensor::SegmentKind::parameter &&
         (update.updated.empty() || update.updated[segment] == 0);
}

// The smallest range of the arena that holds everything left to do.
base::IndexRange left_range(const ArenaUpdate& update) {
  base::IndexRange range{update.layout.parameter_extent, 0};
  for (std::size_t s = 0; s < update.layout.segments.size(); ++s) {
    if (!is_left(update, s)) continue;
    const tensor::Segment& segment = update.layout.segments[s];
    range.begin = std::min(range.begin, segment.offset);
    range.end = std::max(range.end, segment.offset + segment.count);
  }
  return range;
}

std::int64_t left_count(const ArenaUpdate& update) {
  std::int64_t count = 0;
  for (std::size_t s = 0; s < update.layout.segments.size(); ++s)
    if (is_left(update, s)) count += update.layout.segments[s].count;
  return count;
}

void update_left(const UpdateRule& rule, const ArenaUpdate& update, base::IndexRange range) {
  for (std::size_t s = 0; s < update.layout.segments.size(); ++s)
    if (is_left(update, s)) update_part(rule, update, update.layout.segments[s], range);
}

}  // namespace

void apply(const UpdateRule& rule, const ArenaUpdate& update) {
  check_sizes(rule, update);
  const base::IndexRange all = left_range(update);
  if (left_count(update) < kGrain) return update_left(rule, update, all);
  base::parallel_for(all.size(), kGrain, [&](base::IndexRange range) {
    update_left(rule, update, {all.begin + range.begin, all.begin + range.end});
  });
}

void apply_piece(const UpdateRule& rule, const ArenaUpdate& update, int segment, base::IndexRange range,
                 std::span<const float> gradient) noexcept {
  const tensor::Segment& place = update.layout.segments[static_cast<std::size_t>(segment)];
  update_elements(rule, update, place, {place.offset + range.begin, place.offset + range.end}, gradient);
}

}  // namespace convoy::optim
