#include "convoy/run/nearest.h"

#include <algorithm>
#include <numeric>

namespace convoy::run {

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i) + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const int substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, diagonal + 1});
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
