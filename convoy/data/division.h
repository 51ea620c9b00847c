// Which examples are for training and which for testing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/data/sampler.h"

namespace convoy::data {

// Fold `number` of `count`, from 1; count 0: none.
struct Fold {
  std::int64_t number = 0;
  std::int64_t count = 0;

  friend bool operator==(const Fold&, const Fold&) = default;
};

// Reads "2/5"; "" is none. Refuses anything else, and says what would be right.
base::Result<Fold> parse_fold(std::string_view text);

// A part of a collection that lies class by class.
struct PartRule {
  enum class Kind { all, train, test } kind = Kind::all;
  Fold fold = {};           // what is for testing: this fold,
  double test_share = 0.2;  // or without one this share, at least one example of a class of two or more
};

// Divides every class alone, so that each part has the classes in the same proportions: the examples of a
// class are shuffled by a permutation that depends on the class's place and size only; the folds are
// contiguous ranges of it, as even as can be, and a test share is its first range. So the same collection is
// divided the same way in every run, whatever its seed; folds are disjoint and together everything.
// O(classes) memory. Immutable, so thread-safe.
class Division {
 public:
  // counts: the examples of each class.
  Division(std::span<const std::int64_t> counts, const PartRule& rule);

  std::int64_t size() const { return begins_.back(); }
  // Examples of class `c` in the part.
  std::int64_t size(std::size_t c) const { return begins_[c + 1] - begins_[c]; }

  struct Place {
    std::int32_t label = 0;
    std::int64_t index = 0;  // in the collection
  };
  // Example `index` of the part, which lies class by class too. Requires 0 <= index < size().
  Place at(std::int64_t index) const;

 private:
  struct ClassPart {
    std::int64_t first = 0;  // of the class, in the collection
    std::int64_t count = 0;  // of the class
    std::int64_t gap_begin =
        0;  // positions of the permutation that are not in the part: [gap_begin, gap_end)
    std::int64_t gap_end = 0;
  };

  bool in_order_;
  std::vector<ClassPart> classes_;
  std::vector<std::int64_t> begins_;  // of each class in the part, and the end
};

}  // namespace convoy::data
