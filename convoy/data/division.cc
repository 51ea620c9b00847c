#include "convoy/data/division.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "convoy/base/check.h"
#include "convoy/base/threads.h"

namespace convoy::data {
namespace {

constexpr std::uint64_t kSeed =
    0x636f6e766f79;  // fixed: runs of different seeds are compared on the same test set
constexpr std::int64_t kMostFolds = 1000;

// The positions of the permutation that are for testing.
base::IndexRange test_range(std::int64_t count, const PartRule& rule) {
  if (rule.fold.count > 0)
    return base::split_range(count, static_cast<int>(rule.fold.count),
                             static_cast<int>(rule.fold.number - 1));
  if (count < 2) return {0, 0};
  const std::int64_t wanted = std::llround(rule.test_share * static_cast<double>(count));
  return {0, std::clamp<std::int64_t>(wanted, 1, count - 1)};
}

}  // namespace

base::Result<Fold> parse_fold(std::string_view text) {
  if (text.empty()) return Fold{};
  Fold fold;
  const char* end = text.data() + text.size();
  const auto number = std::from_chars(text.data(), end, fold.number);
  const bool has_slash = number.ec == std::errc() && number.ptr != end && *number.ptr == '/';
  const auto count = has_slash ? std::from_chars(number.ptr + 1, end, fold.count) : number;
  if (!has_slash || count.ec != std::errc() || count.ptr != end || fold.count < 2 ||
      fold.count > kMostFolds || fold.number < 1 || fold.number > fold.count)
    return base::Reason{base::str(
        "must be a fold and the number of folds, from 1/2 to 1000/1000, such as 1/5, not '", text, "'")};
  return fold;
}

Division::Division(std::span<const std::int64_t> counts, const PartRule& rule)
    : in_order_(rule.kind == PartRule::Kind::all), begins_{0} {
  std::int64_t first = 0;
  for (const std::int64_t count : counts) {
    ClassPart part{.first = first, .count = count};
    const base::IndexRange test = in_order_ ? base::IndexRange{} : test_range(count, rule);
    std::int64_t size = count;
    if (rule.kind == PartRule::Kind::train) {
      part.gap_begin = test.begin;
      part.gap_end = test.end;
      size = count - test.size();
    } else if (rule.kind == PartRule::Kind::test) {
      part.gap_end = test.begin;  // what is behind the range is cut off by the size
      size = test.size();
    }
    classes_.push_back(part);
    begins_.push_back(begins_.back() + size);
    first += count;
  }
}

Division::Place Division::at(std::int64_t index) const {
  CONVOY_CHECK(index >= 0 && index < size(), "example ", index, " of ", size());
  const auto behind = std::upper_bound(begins_.begin(), begins_.end(), index);
  const auto label = behind - begins_.begin() - 1;
  const ClassPart& part = classes_[static_cast<std::size_t>(label)];
  std::int64_t position = index - *(behind - 1);
  if (position >= part.gap_begin) position += part.gap_end - part.gap_begin;
  const std::int64_t within = in_order_ ? position : Permutation(kSeed, label, part.count).at(position);
  return {static_cast<std::int32_t>(label), part.first + within};
}

}  // namespace convoy::data
