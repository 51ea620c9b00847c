#include "convoy/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "convoy/base/check.h"
#include "convoy/report/text.h"

namespace convoy::report {
namespace {

constexpr int kLeft = 58, kRight = 74, kBottom = 44;
constexpr int kLegendTop = 44, kLegendLine = 18;
constexpr std::size_t kColours = 6;
constexpr std::size_t kPointsWithValues = 60;  // more would be a smear of dots

// A closed interval of data and where it lies on the page; logarithmic where asked.
struct Axis {
  double low = 0, high = 1;
  double from = 0, to = 1;
  bool is_log = false;

  double place(double value) const {
    const double share = is_log ? (std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low))
                                : (value - low) / (high - low);
    return from + share * (to - from);
  }
};

bool is_drawn(const Point& point, bool y_log) {
  return std::isfinite(point.x) && std::isfinite(point.y) && (!y_log || point.y > 0);
}

struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// Widens an extent that is empty or a point, so that it has a length.
Extent with_length(Extent extent, bool is_log) {
  if (extent.low > extent.high) return is_log ? Extent{0.1, 1} : Extent{0, 1};
  if (extent.low < extent.high) return extent;
  if (is_log) return {extent.low / 2, extent.high * 2};
  const double half = extent.low == 0 ? 0.5 : std::abs(extent.low) / 10;
  return {extent.low - half, extent.high + half};
}

// A little room above and below, but not beyond what a double holds.
Extent with_log_margin(const Extent& extent) {
  constexpr double kLeast = 1e-300, kMost = 1e300;
  const double factor = std::pow(extent.high / extent.low, 0.04);
  if (extent.low / factor < kLeast || extent.high * factor > kMost || !std::isfinite(factor)) return extent;
  return {extent.low / factor, extent.high * factor};
}

std::vector<double> log_ticks(double low, double high) {
  std::vector<double> ticks;
  const bool is_narrow = std::log10(high) - std::log10(low) < 2.5;
  for (double decade = std::pow(10, std::floor(std::log10(low))); decade <= high; decade *= 10)
    for (const double factor : {1.0, 2.0, 5.0})
      if ((factor == 1 || is_narrow) && decade * factor >= low && decade * factor <= high)
        ticks.push_back(decade * factor);
  return ticks;
}

std::string number(double value, int digits) {
  const bool is_large = std::abs(value) >= 1000 && std::abs(value) < 1e7;
  return is_large ? thousands(std::llround(value)) : significant(value, digits);
}

class Drawing {
 public:
  // `offset`: how far down it is placed within another <svg>.
  Drawing(const Chart& chart, bool with_style, int offset) : chart_(chart), offset_(offset) {
    if (chart.series.size() > 1) place_legend();
    top_ = legend_.empty() ? 44 : kLegendTop + kLegendLine * (legend_.back().line + 1);
    Extent x, y;
    for (const Series& series : chart.series)
      for (const Point& point : series.points)
        if (is_drawn(point, chart.y_log)) {
          x.add(point.x);
          y.add(point.y);
        }
    x = with_length(x, false);
    y = with_length(y, chart.y_log);
    if (chart.y_log) y = with_log_margin(y);
    const double margin = chart.y_log ? 0 : (y.high - y.low) * 0.05;
    const bool touches_zero = y.low >= 0 && y.low - margin < 0;
    const bool touches_one = chart.y_percent && y.high <= 1 && y.high + margin > 1;
    x_ = {x.low, x.high, kLeft, static_cast<double>(chart.width - kRight), false};
    y_ = {touches_zero ? 0 : y.low - margin, touches_one ? 1 : y.high + margin,
          static_cast<double>(chart.height - kBottom), static_cast<double>(top_), chart.y_log};
    open(with_style);
    draw_axes();
    if (chart.series.size() > 1) draw_legend();
    for (std::size_t i = 0; i < chart.series.size(); ++i) draw_series(i);
    draw_end_labels();
    out_ += "</svg>\n";
  }

  std::string take() { return std::move(out_); }

 private:
  template <class... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    out_ += fmt::format(format, std::forward<Args>(args)...);
  }

  void text(double x, double y, std::string_view css, std::string_view anchor, std::string_view content) {
    put("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\" text-anchor=\"{}\">{}</text>\n", x, y, css, anchor,
        xml_escape(content));
  }

  void open(bool with_style) {
    put("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
        "height=\"{1}\"{3} role=\"img\" aria-label=\"{2}\">\n",
        chart_.width, chart_.height, xml_escape(chart_.title),
        offset_ == 0 ? "" : fmt::format(" y=\"{}\"", offset_));
    if (with_style) put("<style>\n{}</style>\n", chart_style());
    if (with_style) put("<rect class=\"c-page\" width=\"{}\" height=\"{}\"/>\n", chart_.width, chart_.height);
    text(kLeft, 22, "c-title", "start", chart_.title);
  }

  std::string y_text(double value, double spacing) const {
    if (!chart_.y_percent) return number(value, 4);
    return percent(value, spacing >= 0.00999 ? 0 : spacing >= 0.000999 ? 1 : 2);
  }

  void draw_axes() {
    const std::vector<double> y_ticks =
        chart_.y_log ? log_ticks(y_.low, y_.high) : nice_ticks(y_.low, y_.high, 5);
    const double spacing = y_ticks.size() > 1 ? y_ticks[1] - y_ticks[0] : 1;
    for (const double tick : y_ticks) {
      const double y = y_.place(tick);
      put("<path class=\"c-grid\" d=\"M{} {:.1f}H{}\"/>\n", kLeft, y, chart_.width - kRight);
      text(kLeft - 8, y + 4, "c-tick", "end", y_text(tick, spacing));
    }
    const int bottom = chart_.height - kBottom;
    put("<path class=\"c-axis\" d=\"M{} {}H{}\"/>\n", kLeft, bottom, chart_.width - kRight);
    for (const double tick : chart_.x_ticks.empty() ? nice_ticks(x_.low, x_.high, 8) : chart_.x_ticks) {
      if ((chart_.x_whole && tick != std::round(tick)) || tick < x_.low || tick > x_.high) continue;
      put("<path class=\"c-axis\" d=\"M{:.1f} {}v4\"/>\n", x_.place(tick), bottom);
      text(x_.place(tick), bottom + 18, "c-tick", "middle", number(tick, 6));
    }
    text((kLeft + chart_.width - kRight) / 2.0, chart_.height - 8, "c-label", "middle", chart_.x_label);
    text(chart_.width - 8, 22, "c-label", "end", chart_.y_label);
  }

  // From left to right, and on to the next line where the chart ends.
  void place_legend() {
    double x = kLeft;
    int line = 0;
    for (const Series& series : chart_.series) {
      const double length = 24 + 7.0 * display_width(series.name);
      if (x > kLeft && x + length > chart_.width - 8) {
        x = kLeft;
        ++line;
      }
      legend_.push_back({x, line});
      x += length + 22;
    }
  }

  void draw_legend() {
    for (std::size_t i = 0; i < legend_.size(); ++i) {
      const int y = kLegendTop + kLegendLine * legend_[i].line;
      put("<path class=\"c-line {}\" d=\"M{:.1f} {}h18\"/>\n", colour(i), legend_[i].x, y - 4);
      text(legend_[i].x + 24, y, "c-label", "start", chart_.series[i].name);
    }
  }

  // The classes of a series.
  static std::string colour(std::size_t index) {
    constexpr std::string_view kStrokes[] = {"", " c-dashed", " c-dashed c-dotted"};
    return fmt::format("c-{}{}", index % kColours + 1, kStrokes[index / kColours]);
  }

  void draw_series(std::size_t index) {
    const Series& series = chart_.series[index];
    std::string path;
    bool is_new = true;
    for (const Point& point : series.points) {
      if (!is_drawn(point, chart_.y_log)) {
        is_new = true;
        continue;
      }
      path += fmt::format("{}{:.1f} {:.1f}", is_new ? "M" : "L", x_.place(point.x), y_.place(point.y));
      is_new = false;
    }
    if (!path.empty()) put("<path class=\"c-line {}\" d=\"{}\"/>\n", colour(index), path);
    if (series.points.size() > kPointsWithValues) return;
    for (const Point& point : series.points)
      if (is_drawn(point, chart_.y_log))
        put("<circle class=\"c-dot {}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"><title>{}: {} at {} {}</title>"
            "</circle>\n",
            colour(index), x_.place(point.x), y_.place(point.y), xml_escape(series.name), y_text(point.y, 0),
            xml_escape(chart_.x_label), number(point.x, 4));
  }

  // The last value of each line, behind it, moved apart where they would overlap.
  void draw_end_labels() {
    constexpr double kApart = 15;
    struct Label {
      double y;
      std::string text;
    };
    std::vector<Label> labels;
    for (const Series& series : chart_.series) {
      const auto last = std::find_if(series.points.rbegin(), series.points.rend(),
                                     [this](const Point& point) { return is_drawn(point, chart_.y_log); });
      // A line that ends earlier would have its value beside the end of another.
      if (last == series.points.rend() || last->x < x_.high) continue;
      labels.push_back({y_.place(last->y), chart_.y_percent ? percent(last->y, 2) : number(last->y, 3)});
    }
    std::sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.y < b.y; });
    for (std::size_t i = 1; i < labels.size(); ++i)
      labels[i].y = std::max(labels[i].y, labels[i - 1].y + kApart);
    // And back up where they ran out of the chart.
    double limit = chart_.height - kBottom;
    for (auto label = labels.rbegin(); label != labels.rend() && label->y > limit; ++label) {
      label->y = limit;
      limit -= kApart;
    }
    for (const Label& label : labels)
      text(chart_.width - kRight + 8, label.y + 4, "c-end", "start", label.text);
  }

  struct LegendPlace {
    double x;
    int line;
  };

  const Chart& chart_;
  int offset_ = 0;
  int top_ = 0;
  std::vector<LegendPlace> legend_;  // empty: none
  Axis x_, y_;
  std::string out_;
};

}  // namespace

std::vector<double> nice_ticks(double low, double high, int count) {
  CONVOY_CHECK(low < high && count >= 1, "no ticks for ", low, " … ", high);
  const double raw = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double fraction = raw / power;
  const double step = (fraction < 1.5 ? 1 : fraction < 3.5 ? 2 : fraction < 7.5 ? 5 : 10) * power;
  std::vector<double> ticks;
  const double slack = step * 1e-9;
  for (double index = std::ceil((low - slack) / step); index * step <= high + slack; ++index)
    ticks.push_back(index == 0 ? 0 : index * step);
  return ticks;
}

std::string_view chart_style() {
  // Literal colours: several viewers of SVG know no custom properties.
  return R"(.chart { font-family: system-ui, "DejaVu Sans", sans-serif; }
.c-page { fill: #fcfcfb; }
.c-title { font-size: 15px; font-weight: 600; fill: #0b0b0b; }
.c-label, .c-tick { font-size: 12px; fill: #52514e; }
.c-tick, .c-end { font-variant-numeric: tabular-nums; }
.c-end { font-size: 12px; font-weight: 600; fill: #0b0b0b; }
.c-grid { stroke: #e6e5e1; fill: none; }
.c-axis { stroke: #a3a29d; fill: none; }
.c-line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.c-dot { stroke: #fcfcfb; stroke-width: 2; }
.c-line.c-1 { stroke: #2a78d6; } .c-dot.c-1 { fill: #2a78d6; } .c-dashed.c-dot.c-1 { stroke: #2a78d6; }
.c-line.c-2 { stroke: #d9582b; } .c-dot.c-2 { fill: #d9582b; } .c-dashed.c-dot.c-2 { stroke: #d9582b; }
.c-line.c-3 { stroke: #1a8f66; } .c-dot.c-3 { fill: #1a8f66; } .c-dashed.c-dot.c-3 { stroke: #1a8f66; }
.c-line.c-4 { stroke: #7f56c9; } .c-dot.c-4 { fill: #7f56c9; } .c-dashed.c-dot.c-4 { stroke: #7f56c9; }
.c-line.c-5 { stroke: #b8860b; } .c-dot.c-5 { fill: #b8860b; } .c-dashed.c-dot.c-5 { stroke: #b8860b; }
.c-line.c-6 { stroke: #c2407f; } .c-dot.c-6 { fill: #c2407f; } .c-dashed.c-dot.c-6 { stroke: #c2407f; }
.c-dashed.c-line { stroke-dasharray: 6 5; } .c-dotted.c-line { stroke-dasharray: 1 4; }
.c-dot.c-dashed { fill: #fcfcfb; }
@media (prefers-color-scheme: dark) {
.c-page { fill: #1a1a19; } .c-title, .c-end { fill: #ffffff; } .c-label, .c-tick { fill: #c3c2b7; }
.c-grid { stroke: #33332f; } .c-axis { stroke: #6b6a64; } .c-dot { stroke: #1a1a19; }
.c-line.c-1 { stroke: #4c94ea; } .c-dot.c-1 { fill: #4c94ea; } .c-dashed.c-dot.c-1 { stroke: #4c94ea; }
.c-line.c-2 { stroke: #ef7f55; } .c-dot.c-2 { fill: #ef7f55; } .c-dashed.c-dot.c-2 { stroke: #ef7f55; }
.c-line.c-3 { stroke: #35b887; } .c-dot.c-3 { fill: #35b887; } .c-dashed.c-dot.c-3 { stroke: #35b887; }
.c-line.c-4 { stroke: #a88ae6; } .c-dot.c-4 { fill: #a88ae6; } .c-dashed.c-dot.c-4 { stroke: #a88ae6; }
.c-line.c-5 { stroke: #d9a93a; } .c-dot.c-5 { fill: #d9a93a; } .c-dashed.c-dot.c-5 { stroke: #d9a93a; }
.c-line.c-6 { stroke: #ea74ab; } .c-dot.c-6 { fill: #ea74ab; } .c-dashed.c-dot.c-6 { stroke: #ea74ab; }
.c-dot.c-dashed { fill: #1a1a19; }
}
)";
}

namespace {

void check(const Chart& chart) {
  CONVOY_CHECK(chart.series.size() <= kMaxSeries, chart.series.size(), " series in one chart");
}

}  // namespace

std::string svg(const Chart& chart, bool with_style) {
  check(chart);
  return Drawing(chart, with_style, 0).take();
}

std::string svg_panels(const std::vector<Chart>& charts) {
  CONVOY_CHECK(!charts.empty(), "no charts");
  int width = 0, height = 0;
  std::string panels;
  for (const Chart& chart : charts) {
    check(chart);
    panels += Drawing(chart, false, height).take();
    width = std::max(width, chart.width);
    height += chart.height;
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\">\n"
      "<style>\n{2}</style>\n<rect class=\"c-page\" width=\"{0}\" height=\"{1}\"/>\n{3}</svg>\n",
      width, height, chart_style(), panels);
}

}  // namespace convoy::report
