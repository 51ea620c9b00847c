#include "convoy/run/nearest.h"

#include <algorithm>
#include <numeric>

namespace convoy::run {

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int substituted = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({substituted, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view name, const std::vector<std::string_view>& known) {
  constexpr std::size_t kLongest = 64;  // a longer text is no mistyped name, and the table is quadratic
  if (name.size() > kLongest) return {};
  int best = std::max(1, static_cast<int>(name.size()) / 3) + 1;
  std::string found;
  for (const std::string_view candidate : known) {
    const int distance = edit_distance(name, candidate);
    if (distance >= best) continue;
    best = distance;
    found = candidate;
  }
  return found;
}

std::string suggestion(std::string_view name, const std::vector<std::string_view>& known) {
  const std::string found = nearest(name, known);
  return found.empty() ? "" : "; did you mean '" + found + "'?";
}

}  // namespace convoy::run
