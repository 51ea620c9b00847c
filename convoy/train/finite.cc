#include "convoy/train/finite.h"

#include <fmt/core.h>

#include <bit>

namespace convoy::train {
namespace {

using tensor::SegmentKind;

constexpr std::uint32_t kExponent = 0x7f800000;

// Index of the first infinity or NaN, or -1. First a loop without exits, which the compiler vectorises.
std::int64_t find_non_finite(std::span<const float> values) {
  std::uint32_t found = 0;
  for (const float value : values)
    found |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent);
  if (found == 0) return -1;
  for (std::size_t i = 0; i < values.size(); ++i)
    if ((std::bit_cast<std::uint32_t>(values[i]) & kExponent) == kExponent)
      return static_cast<std::int64_t>(i);
  return -1;
}

std::string describe(const tensor::ParamLayout& layout, SegmentKind kind, std::span<const float> arena,
                     const std::string& suffix) {
  for (const tensor::Segment& segment : layout.segments) {
    if (segment.kind != kind) continue;
    const auto values =
        arena.subspan(static_cast<std::size_t>(segment.offset), static_cast<std::size_t>(segment.count));
    const std::int64_t at = find_non_finite(values);
    if (at >= 0)
      return fmt::format("{}[{}]{} is {}", segment.name, at, suffix, values[static_cast<std::size_t>(at)]);
  }
  return {};
}

}  // namespace

std::string describe_non_finite(ParamStore& store) {
  std::string found = describe(store.layout(), SegmentKind::parameter, store.parameters(), "");
  if (found.empty()) found = describe(store.layout(), SegmentKind::state, store.state(), "");
  for (int s = 0; s < store.slot_count() && found.empty(); ++s)
    found = describe(store.layout(), SegmentKind::parameter, store.slot(s),
                     fmt::format(" of optimiser slot {}", s));
  return found;
}

}  // namespace convoy::train
