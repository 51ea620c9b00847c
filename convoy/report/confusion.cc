#include "convoy/report/confusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "convoy/base/check.h"
#include "convoy/report/table.h"
#include "convoy/report/text.h"

namespace convoy::report {
namespace {

constexpr std::size_t kLargestSquare = 20;
constexpr int kLongestName = 12;

std::int64_t largest_mistake(const Confusion& confusion) {
  std::int64_t most = 0;
  for (std::size_t i = 0; i < confusion.counts.size(); ++i)
    for (std::size_t j = 0; j < confusion.counts[i].size(); ++j)
      if (i != j) most = std::max(most, confusion.counts[i][j]);
  return most;
}

// Of xterm's 256 colours: four shades, faint to full, of one hue each.
std::string shaded(const std::string& cell, double strength, bool is_right) {
  constexpr int kGreens[] = {22, 28, 34, 40}, kReds[] = {52, 88, 124, 160};
  const int level = std::clamp(static_cast<int>(strength * 4), 0, 3);
  const int background = is_right ? kGreens[level] : kReds[level];
  const int text = is_right && level >= 2 ? 16 : 231;
  return fmt::format("\x1b[48;5;{}m\x1b[38;5;{}m{}\x1b[0m", background, text, cell);
}

std::string print_square(const Confusion& confusion, bool colours) {
  const std::size_t n = confusion.counts.size();
  int name_width = 0, cell_width = 0;
  for (std::size_t i = 0; i < n; ++i) {
    name_width = std::max(name_width, display_width(clip(confusion.class_name(i), kLongestName)));
    for (const std::int64_t count : confusion.counts[i])
      cell_width = std::max(cell_width, display_width(thousands(count)));
  }
  cell_width = std::max(cell_width, std::min(name_width, 5)) + 1;
  std::string out = pad("", name_width, false) + "  ";
  for (std::size_t j = 0; j < n; ++j)
    out += pad(clip(confusion.class_name(j), cell_width - 1), cell_width, true);
  out += "   recall\n";
  const auto most = static_cast<double>(std::max<std::int64_t>(1, largest_mistake(confusion)));
  for (std::size_t i = 0; i < n; ++i) {
    out += pad(clip(confusion.class_name(i), kLongestName), name_width, true) + "  ";
    for (std::size_t j = 0; j < n; ++j) {
      const std::int64_t count = confusion.counts[i][j];
      const std::string cell = pad(count == 0 ? "·" : thousands(count), cell_width, true);
      const double strength = i == j ? confusion.recall(i) : static_cast<double>(count) / most;
      out += colours && count > 0 ? shaded(cell, i == j ? strength * strength : strength, i == j) : cell;
    }
    out += "  " + pad(percent(confusion.recall(i), 1), 7, true) + "\n";
  }
  return out;
}

std::string print_list(const Confusion& confusion) {
  Table table({{"class"}, {"examples", Align::right}, {"recall", Align::right}, {"most often taken for"}});
  for (std::size_t i = 0; i < confusion.counts.size(); ++i) {
    std::size_t worst = i == 0 ? 1 : 0;
    for (std::size_t j = 0; j < confusion.counts.size(); ++j)
      if (j != i && confusion.counts[i][j] > confusion.counts[i][worst]) worst = j;
    const std::int64_t times = confusion.counts[i][worst];
    table.add({confusion.class_name(i), thousands(confusion.row_total(i)), percent(confusion.recall(i), 1),
               times == 0 ? "-" : fmt::format("{} ({})", confusion.class_name(worst), thousands(times))});
  }
  return table.str();
}

}  // namespace

std::string Confusion::class_name(std::size_t index) const {
  return index < class_names.size() ? class_names[index] : std::to_string(index);
}

std::int64_t Confusion::row_total(std::size_t label) const {
  std::int64_t total = 0;
  for (const std::int64_t count : counts[label]) total += count;
  return total;
}

double Confusion::recall(std::size_t label) const {
  const std::int64_t total = row_total(label);
  return total == 0 ? 0 : static_cast<double>(counts[label][label]) / static_cast<double>(total);
}

std::string print(const Confusion& confusion, bool colours) {
  for (const auto& row : confusion.counts)
    CONVOY_CHECK(row.size() == confusion.counts.size(), "a confusion table is square");
  if (confusion.counts.empty()) return {};
  return confusion.counts.size() > kLargestSquare ? print_list(confusion) : print_square(confusion, colours);
}

}  // namespace convoy::report
