#include "convoy/report/table.h"

#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/report/text.h"

namespace convoy::report {

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  CONVOY_CHECK(!columns_.empty(), "a table needs a column");
}

void Table::add(std::vector<std::string> cells) {
  CONVOY_CHECK(cells.size() == columns_.size(), cells.size(), " cells for ", columns_.size(), " columns");
  rows_.push_back(std::move(cells));
}

void Table::add_rule() { rows_.emplace_back(); }

std::string Table::str(int indent) const {
  std::vector<std::string> headings;
  std::vector<int> widths;
  for (const Column& column : columns_) {
    headings.push_back(column.heading);
    widths.push_back(display_width(column.heading));
  }
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  std::size_t total = 2 * (widths.size() - 1);
  for (const int width : widths) total += static_cast<std::size_t>(width);

  const std::string margin(static_cast<std::size_t>(indent), ' ');
  std::string out;
  const auto print = [&](const std::vector<std::string>& cells) {
    std::string line = margin;
    for (std::size_t i = 0; i < cells.size(); ++i)
      line += (i == 0 ? "" : "  ") + pad(cells[i], widths[i], columns_[i].align == Align::right);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  const auto rule = [&] {
    out += margin;
    for (std::size_t i = 0; i < total; ++i) out += "─";
    out += "\n";
  };
  const bool has_heading = std::any_of(headings.begin(), headings.end(),
                                       [](const std::string& heading) { return !heading.empty(); });
  if (has_heading) {
    print(headings);
    rule();
  }
  for (const auto& row : rows_) row.empty() ? rule() : print(row);
  return out;
}

}  // namespace convoy::report
