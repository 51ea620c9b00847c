// Line charts as self-contained SVG.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convoy::report {

struct Point {
  double x = 0;
  double y = 0;
};

// One line of a chart. Points that are not finite leave a gap.
struct Series {
  std::string name;
  std::vector<Point> points;
};

struct Chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<Series> series;        // at most kMaxSeries
  bool x_whole = false;              // ticks at whole numbers only: epochs
  std::vector<double> x_ticks = {};  // these and no others; empty: round numbers
  bool y_percent = false;            // shares, printed as per cent
  bool y_log = false;                // values that are not positive leave a gap
  int width = 640;
  int height = 320;
};

// Six colours, and the same dashed and dotted.
inline constexpr int kMaxSeries = 18;

// Round numbers (1, 2 or 5 times a power of ten apart, about `count` of them) within [low, high].
std::vector<double> nice_ticks(double low, double high, int count);

// The rules that give a chart its colours, light and dark, for a <style> element.
std::string_view chart_style();

// The chart as an <svg> element: title, axes with ticks, a grid, a legend where there are two series or more,
// a label at the end of each line that reaches the last x, and the value of each point where there are few.
// With `with_style` it brings chart_style() along and stands alone as a file; a page of several charts has
// the style once.
std::string svg(const Chart& chart, bool with_style);

// Charts one below the other as one <svg> that stands alone as a file. Requires at least one chart.
std::string svg_panels(const std::vector<Chart>& charts);

}  // namespace convoy::report
