// Aligned text tables.
#pragma once

#include <string>
#include <vector>

namespace convoy::report {

enum class Align { left, right };

// Rows of cells under headings. Widths are those of a terminal, so UTF-8 aligns. Not thread-safe.
class Table {
 public:
  struct Column {
    std::string heading;
    Align align = Align::left;  // numbers stand right
  };

  // Requires at least one column. Without any heading no heading line is printed.
  explicit Table(std::vector<Column> columns);

  // Requires one cell a column.
  void add(std::vector<std::string> cells);
  // A line across, before the next row.
  void add_rule();

  // Two spaces between columns, `indent` before the first, no spaces at the end of lines.
  std::string str(int indent = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;  // an empty one is a rule
};

}  // namespace convoy::report
