#include "convoy/app/run_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "convoy/app/train_view.h"
#include "convoy/base/check.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"
#include "convoy/io/json.h"
#include "convoy/report/text.h"

namespace convoy::app {
namespace {

constexpr std::size_t kMostPoints = 400;  // of one line: more are not seen, and the page stays small

// The rows of metrics.jsonl as series over epochs. Step rows have "loss", epoch rows "test_loss".
class Metrics {
 public:
  Metrics(const std::string& path, double steps_per_epoch) : steps_per_epoch_(steps_per_epoch) {
    if (!io::file_exists(path)) return;
    const std::string text = io::read_file(path);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      if (end > begin)
        rows_.push_back(io::parse_json(std::string_view(text).substr(begin, end - begin), path,
                                       static_cast<std::int64_t>(begin)));
      begin = end + 1;
    }
  }

  // Every value of that name, the mean of neighbours where there are more than kMostPoints.
  report::Series series(const std::string& title, std::string_view key) const {
    std::vector<report::Point> all;
    for (const io::Json& row : rows_) {
      const io::Json* value = row.is_object() ? row.find(key) : nullptr;
      const io::Json* step = row.is_object() ? row.find("step") : nullptr;
      if (value == nullptr || step == nullptr || !value->is_number() || !step->is_number()) continue;
      all.push_back({step->as_double() / steps_per_epoch_, value->as_double()});
    }
    return {title, thinned(all)};
  }

 private:
  static std::vector<report::Point> thinned(const std::vector<report::Point>& all) {
    const std::size_t group = all.size() / kMostPoints + 1;
    std::vector<report::Point> points;
    for (std::size_t begin = 0; begin < all.size(); begin += group) {
      const std::size_t end = std::min(begin + group, all.size());
      double sum = 0;
      for (std::size_t i = begin; i < end; ++i) sum += all[i].y;
      points.push_back({all[end - 1].x, sum / static_cast<double>(end - begin)});
    }
    return points;
  }

  double steps_per_epoch_;
  std::vector<io::Json> rows_;
};

std::vector<report::Chart> charts(const Metrics& metrics) {
  std::vector<report::Chart> charts = {
      {.title = "Loss",
       .x_label = "epoch",
       .y_label = "mean loss, logarithmic",
       .series = {metrics.series("training batches", "loss"), metrics.series("test", "test_loss")},
       .x_whole = true,
       .y_log = true},
      {.title = "Accuracy",
       .x_label = "epoch",
       .y_label = "share of images right",
       .series = {metrics.series("training", "train_accuracy"), metrics.series("test", "test_accuracy")},
       .x_whole = true,
       .y_percent = true},
      {.title = "Learning rate",
       .x_label = "epoch",
       .y_label = "",
       .series = {metrics.series("learning rate", "learning_rate")},
       .x_whole = true},
      {.title = "Speed",
       .x_label = "epoch",
       .y_label = "training images/s",
       .series = {metrics.series("images/s", "images_per_second")},
       .x_whole = true}};
  std::erase_if(charts, [](const report::Chart& chart) {
    return std::all_of(chart.series.begin(), chart.series.end(),
                       [](const report::Series& series) { return series.points.empty(); });
  });
  return charts;
}

std::string printed(const io::Json& value) { return value.is_string() ? value.as_string() : value.dump(); }

// The members of a JSON object, those of an object within it as "outer: inner".
void add_facts(const io::Json& object, const std::string& prefix, report::FactList& list) {
  for (const auto& [name, value] : object.as_object())
    if (value.is_object())
      add_facts(value, prefix + name + ": ", list);
    else
      list.facts.push_back({prefix + name, printed(value), ""});
}

report::FactList settings_list(const run::ResolvedConfig& resolved) {
  report::FactList list{.title = "Settings", .facts = {}};
  for (const run::Setting& setting : run::settings()) {
    const auto origin = resolved.origins.find(setting.name);
    list.facts.push_back({std::string(setting.name), setting.get(resolved.config),
                          origin == resolved.origins.end() ? "" : std::string(run::name(origin->second))});
  }
  return list;
}

}  // namespace

report::Page describe_run(const run::Prelude& prelude, const run::TrainResult& result,
                          const run::ResolvedConfig& resolved) {
  const bool is_interrupted = result.outcome.end == train::Outcome::End::interrupted;
  report::Page page;
  page.title = base::str(resolved.config.model, " on ", resolved.config.data);
  page.subtitle = base::str(
      model_summary(prelude), "; ", is_interrupted ? "interrupted after " : "trained for ",
      report::thousands(result.outcome.steps), " of ", report::thousands(prelude.total_steps), " steps");
  if (result.tested) {
    if (!result.confusion.empty())
      page.figures.emplace_back("test accuracy", report::percent(result.test_accuracy, 2));
    page.figures.emplace_back("test loss", report::significant(result.test_loss, 4));
  }
  page.figures.emplace_back("epochs", report::thousands(result.epochs));
  page.figures.emplace_back("training time", report::duration(result.seconds));
  page.figures.emplace_back("images/s",
                            report::thousands(static_cast<std::int64_t>(result.images_per_second + 0.5)));
  page.figures.emplace_back("peak memory", report::memory_size(result.peak_memory_bytes));
  const Metrics metrics(io::join_path(result.run_directory, "metrics.jsonl"),
                        static_cast<double>(std::max<std::int64_t>(1, prelude.steps_per_epoch)));
  page.charts = charts(metrics);
  page.confusion = {result.confusion, result.class_names};
  page.lists.push_back(settings_list(resolved));
  const std::string environment = io::join_path(result.run_directory, "env.json");
  if (io::file_exists(environment)) {
    report::FactList list{.title = "Environment", .facts = {}};
    add_facts(io::read_json(environment), "", list);
    page.lists.push_back(std::move(list));
  }
  return page;
}

std::string write_run_report(const run::Prelude& prelude, const run::TrainResult& result,
                             const run::ResolvedConfig& resolved) {
  const std::string path = io::join_path(result.run_directory, "report.html");
  io::write_file_atomically(path, report::html(describe_run(prelude, result, resolved)));
  return path;
}

}  // namespace convoy::app
