// Which classes a model takes for which.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoy::report {

struct Confusion {
  std::vector<std::vector<std::int64_t>> counts;  // [label][prediction], square
  std::vector<std::string> class_names;           // one a class; empty: their numbers

  std::string class_name(std::size_t index) const;
  std::int64_t row_total(std::size_t label) const;
  // The share of the label's examples that are predicted right; 0 where there are none.
  double recall(std::size_t label) const;
};

// A table of counts, a row a label, with its recall behind it. With `colours` correct counts are shaded green
// by recall and mistakes red by their number. Beyond twenty classes: recall and the most frequent mistakes of
// each class instead of the square.
std::string print(const Confusion& confusion, bool colours);

}  // namespace convoy::report
