#include "convoy/app/conv_bench_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "convoy/io/json.h"
#include "convoy/report/svg.h"
#include "convoy/report/table.h"
#include "convoy/report/text.h"

namespace convoy::app {
namespace {

using benchkit::ConvMeasurement;
using benchkit::ConvProblem;
using kernels::Pass;
using report::Align;

// Three digits.
std::string time_text(double seconds) {
  const auto [value, unit] = seconds < 1e-3 ? std::pair(seconds * 1e6, "us")
                             : seconds < 1  ? std::pair(seconds * 1e3, "ms")
                                            : std::pair(seconds, "s");
  return fmt::format("{:.{}f} {}", value, value < 10 ? 2 : value < 100 ? 1 : 0, unit);
}

std::string heading(const ConvCaseResult& result) {
  const ConvCase& c = result.which;
  const std::string name = c.set.empty() ? "" : c.set + " " + c.layer + "  ";
  return fmt::format("{}{}  {}, {} thread{}: {} GFLOP, peak {} GFLOP/s\n", name, c.problem.str(),
                     kernels::name(c.pass), c.threads, c.threads == 1 ? "" : "s",
                     report::significant(c.problem.flops() / 1e9, 3),
                     report::significant(result.peak_flops / 1e9, 3));
}

std::string interval_text(const ConvMeasurement& row) {
  const benchkit::Interval interval = benchkit::bootstrap_median(row.seconds);
  return time_text(interval.low) + " .. " + time_text(interval.high);
}

// All refusals for one reason in a line.
std::string refusals(const std::vector<ConvMeasurement>& rows) {
  std::vector<std::pair<std::string, std::string>> reasons;  // reason, names
  for (const ConvMeasurement& row : rows) {
    if (row.measured()) continue;
    const auto same = std::find_if(reasons.begin(), reasons.end(),
                                   [&](const auto& entry) { return entry.first == row.refusal; });
    if (same == reasons.end())
      reasons.emplace_back(row.refusal, row.algorithm);
    else
      same->second += ", " + row.algorithm;
  }
  std::string text;
  for (const auto& [reason, names] : reasons) text += fmt::format("  not {}: {}\n", names, reason);
  return text;
}

io::Json json_of(const ConvCaseResult& result, const ConvMeasurement& row) {
  const ConvCase& c = result.which;
  io::Json json = io::Json::object({{"problem", c.problem.str()},
                                    {"direction", kernels::name(c.pass)},
                                    {"algorithm", row.algorithm},
                                    {"threads", c.threads}});
  if (!c.set.empty()) json.set("set", c.set).set("layer", c.layer).set("multiplicity", c.multiplicity);
  if (!row.measured()) return json.set("refused", row.refusal);
  const benchkit::Interval interval = benchkit::bootstrap_median(row.seconds, {.resamples = 500});
  return json.set("milliseconds", row.median_seconds() * 1e3)
      .set("gflops", row.flops_per_second() / 1e9)
      .set("percent_of_peak", 100 * row.flops_per_second() / result.peak_flops)
      .set("error", row.relative_error)
      .set("workspace_bytes", row.workspace_bytes)
      .set("winner", row.winner)
      .set("milliseconds_low", interval.low * 1e3)
      .set("milliseconds_high", interval.high * 1e3)
      .set("milliseconds_best", row.best_seconds() * 1e3)
      .set("samples", std::ssize(row.seconds))
      .set("predicted_milliseconds", row.predicted_seconds * 1e3)
      .set("error_share_of_bound", row.share_of_bound)
      .set("layout", kernels::name(row.family))
      .set("implementation", row.implementation);
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

// How one algorithm did over a group of cases.
struct Tally {
  int served = 0, won = 0;
  double log_of_peak = 0;  // sum over the cases served
  double seconds = 0;      // with multiplicity
  std::vector<double> prediction_errors;
};

struct Group {
  std::vector<std::pair<std::string, Tally>> algorithms;  // in catalog order
  double best_seconds = 0;
  int cases = 0;

  Tally& tally(const std::string& name) {
    for (auto& [known, tally] : algorithms)
      if (known == name) return tally;
    return algorithms.emplace_back(name, Tally()).second;
  }
};

void add(const ConvCaseResult& result, Group& group) {
  ++group.cases;
  for (const ConvMeasurement& row : result.rows) {
    Tally& tally = group.tally(row.algorithm);
    if (!row.measured()) continue;
    const double seconds = row.median_seconds() * result.which.multiplicity;
    ++tally.served;
    tally.won += row.winner;
    tally.log_of_peak += std::log(row.flops_per_second() / result.peak_flops);
    tally.seconds += seconds;
    tally.prediction_errors.push_back(std::abs(row.prediction_error()));
    if (row.winner) group.best_seconds += seconds;
  }
}

std::string group_text(const std::string& title, const Group& group) {
  report::Table table({{title},
                       {"served", Align::right},
                       {"won", Align::right},
                       {"% of peak", Align::right},
                       {"time of all", Align::right},
                       {"prediction off by", Align::right}});
  double single = INFINITY;
  std::string single_name;
  for (const auto& [name, tally] : group.algorithms) {
    if (tally.served == 0) continue;
    const bool serves_all = tally.served == group.cases;
    if (serves_all && tally.seconds < single) {
      single = tally.seconds;
      single_name = name;
    }
    table.add({name, fmt::format("{}/{}", tally.served, group.cases), std::to_string(tally.won),
               fmt::format("{:.1f}", 100 * std::exp(tally.log_of_peak / tally.served)),
               serves_all ? time_text(tally.seconds) : "-",
               report::percent(benchkit::median(tally.prediction_errors), 0)});
  }
  std::string text = table.str();
  if (!single_name.empty() && single > group.best_seconds)
    text += fmt::format("The best of each layer takes {}: {} less than {} alone.\n",
                        time_text(group.best_seconds), report::percent(1 - group.best_seconds / single, 1),
                        single_name);
  return text + "\n";
}

// A chart has room for so many curves: those that are fastest somewhere come first, then the others in order.
void keep_fastest(std::vector<report::Series>& series) {
  std::map<double, double> fastest;
  for (const report::Series& s : series)
    for (const report::Point& point : s.points) {
      const auto [at, is_new] = fastest.emplace(point.x, point.y);
      at->second = std::min(at->second, point.y);
    }
  const auto wins = [&](const report::Series& s) {
    return std::any_of(s.points.begin(), s.points.end(),
                       [&](const report::Point& point) { return fastest.at(point.x) == point.y; });
  };
  if (series.size() <= report::kMaxSeries) return;
  std::stable_partition(series.begin(), series.end(), wins);
  series.resize(report::kMaxSeries);
}

}  // namespace

std::string conv_table(const ConvCaseResult& result, bool interval) {
  std::vector<report::Table::Column> columns = {{""},
                                                {"algorithm"},
                                                {"layout"},
                                                {"time", Align::right},
                                                {"GFLOP/s", Align::right},
                                                {"% of peak", Align::right},
                                                {"error", Align::right},
                                                {"of its bound", Align::right},
                                                {"workspace", Align::right},
                                                {"predicted", Align::right}};
  if (interval) columns.push_back({"95 % interval of the median", Align::right});
  report::Table table(std::move(columns));
  std::vector<const ConvMeasurement*> rows;
  for (const ConvMeasurement& row : result.rows)
    if (row.measured()) rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(), [](const ConvMeasurement* a, const ConvMeasurement* b) {
    return a->median_seconds() < b->median_seconds();
  });
  for (const ConvMeasurement* row : rows) {
    std::vector<std::string> cells = {
        row->winner ? "✓" : "",
        row->algorithm,
        std::string(kernels::name(row->family)),
        time_text(row->median_seconds()),
        fmt::format("{:.1f}", row->flops_per_second() / 1e9),
        fmt::format("{:.1f}", 100 * row->flops_per_second() / result.peak_flops),
        fmt::format("{:.1e}", row->relative_error),
        fmt::format("{} %", report::significant(100 * row->share_of_bound, 2)),
        row->workspace_bytes == 0 ? "-" : report::memory_size(row->workspace_bytes),
        fmt::format("{} ({:+.0f} %)", time_text(row->predicted_seconds), 100 * row->prediction_error())};
    if (interval) cells.push_back(interval_text(*row));
    table.add(std::move(cells));
  }
  return heading(result) + (rows.empty() ? "" : table.str()) + refusals(result.rows) + "\n";
}

std::string conv_summary(const std::vector<ConvCaseResult>& results) {
  std::vector<std::pair<std::string, Group>> groups;
  for (const ConvCaseResult& result : results) {
    const std::string title = fmt::format("{}, {} thread{}", kernels::name(result.which.pass),
                                          result.which.threads, result.which.threads == 1 ? "" : "s");
    const auto same =
        std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return group.first == title; });
    add(result, same == groups.end() ? groups.emplace_back(title, Group()).second : same->second);
  }
  std::string text;
  for (const auto& [title, group] : groups) text += group_text(title, group);
  return text;
}

std::string conv_json_lines(const ConvCaseResult& result, bool refused) {
  std::string lines;
  for (const ConvMeasurement& row : result.rows)
    if (refused || row.measured()) lines += json_of(result, row).dump() + "\n";
  return lines;
}

std::string_view conv_csv_heading() {
  return "problem,direction,algorithm,threads,milliseconds,gflops,percent_of_peak,error,workspace_bytes,"
         "winner,set,layer,refused\n";
}

std::string conv_csv_lines(const ConvCaseResult& result, bool refused) {
  std::string lines;
  const ConvCase& c = result.which;
  for (const ConvMeasurement& row : result.rows) {
    if (!row.measured() && !refused) continue;
    lines += fmt::format("{},{},{},{},", c.problem.str(), kernels::name(c.pass), csv_field(row.algorithm),
                         c.threads);
    if (row.measured())
      lines += fmt::format("{:.6g},{:.6g},{:.6g},{:.3g},{},{}", row.median_seconds() * 1e3,
                           row.flops_per_second() / 1e9, 100 * row.flops_per_second() / result.peak_flops,
                           row.relative_error, row.workspace_bytes, row.winner);
    else
      lines += ",,,,,";
    lines += fmt::format(",{},{},{}\n", csv_field(c.set), csv_field(c.layer), csv_field(row.refusal));
  }
  return lines;
}

base::Verdict check_chart(const std::vector<ConvCase>& cases) {
  std::set<std::string> others;                                    // the problems less their kernels
  std::map<std::tuple<Pass, int, std::int64_t>, int> same_kernel;  // of one panel
  for (const ConvCase& c : cases) {
    ConvProblem rest = c.problem;
    if (rest.r != rest.q) return base::Reason{rest.str() + " has no square kernel"};
    if (++same_kernel[{c.pass, c.threads, rest.r}] > 1)
      return base::Reason{base::str("two of the problems have ", rest.r, "x", rest.r, " kernels")};
    rest.r = rest.q = 1;
    rest.pads = {};
    others.insert(rest.str());
  }
  std::set<std::int64_t> kernels;
  for (const ConvCase& c : cases) kernels.insert(c.problem.r);
  if (others.size() > 1 || kernels.size() < 2)
    return base::Reason{
        "the chart shows time against kernel size, so the problems must differ in kernel and padding, and in "
        "nothing else; try --set kernel-sweep"};
  return {};
}

std::string conv_chart(const std::vector<ConvCaseResult>& results) {
  std::vector<report::Chart> charts;
  for (const ConvCaseResult& result : results) {
    const ConvCase& c = result.which;
    const ConvProblem& p = c.problem;
    const std::string label =
        fmt::format("{}, {} thread{}", kernels::name(c.pass), c.threads, c.threads == 1 ? "" : "s");
    const std::string title =
        fmt::format("{} to {} channels, {}x{}, batch {}: {}", p.c, p.k, p.h, p.w, p.n, label);
    auto chart = std::find_if(charts.begin(), charts.end(),
                              [&](const report::Chart& known) { return known.title == title; });
    if (chart == charts.end())
      chart = charts.insert(charts.end(), {.title = title,
                                           .x_label = "kernel size",
                                           .y_label = "ms a call",
                                           .series = {},
                                           .y_log = true,
                                           .width = 800,
                                           .height = 460});
    const auto kernel = static_cast<double>(p.r);
    chart->x_ticks.push_back(kernel);
    for (const ConvMeasurement& row : result.rows) {
      if (!row.measured()) continue;
      auto series = std::find_if(chart->series.begin(), chart->series.end(),
                                 [&](const report::Series& known) { return known.name == row.algorithm; });
      if (series == chart->series.end())
        series = chart->series.insert(series, report::Series{row.algorithm, {}});
      series->points.push_back({kernel, row.median_seconds() * 1e3});
    }
  }
  for (report::Chart& chart : charts) {
    for (report::Series& series : chart.series)
      std::sort(series.points.begin(), series.points.end(),
                [](const report::Point& a, const report::Point& b) { return a.x < b.x; });
    keep_fastest(chart.series);
  }
  return report::svg_panels(charts);
}

}  // namespace convoy::app
