// Does Convoy learn as PyTorch does, from the same weights, batches and rates?
#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/learning_curve/curve.h"
#include "bench/support/provenance.h"
#include "convoy/base/error.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"
#include "convoy/io/json.h"
#include "convoy/report/svg.h"
#include "convoy/report/table.h"

namespace {

using namespace convoy;

struct Options {
  std::vector<std::string> runs;
  int threads = 2;
  std::string record, svg;
  bool json = false;
};

io::Json to_json(const bench::Curve& curve) {
  io::Json list = io::Json::array();
  for (const bench::EpochPoint& point : curve)
    list.append(io::Json::object({{"train_loss", point.train_loss},
                                  {"test_loss", point.test_loss},
                                  {"test_accuracy", point.test_accuracy}}));
  return list;
}

io::Json to_json(const std::vector<bench::RunCurves>& runs, int threads) {
  io::Json list = io::Json::array();
  for (const bench::RunCurves& run : runs)
    list.append(io::Json::object({{"model", run.model},
                                  {"data", run.data},
                                  {"fold", run.fold},
                                  {"batch", run.batch},
                                  {"seed", run.seed},
                                  {"convoy_seconds", run.convoy_seconds},
                                  {"torch_version", run.peer_version},
                                  {"convoy", to_json(run.convoy)},
                                  {"torch", to_json(run.peer)}}));
  io::Json json = io::Json::object({{"runs", std::move(list)}});
  bench::add_provenance(json, threads);
  return json;
}

std::string table(const std::vector<bench::RunCurves>& runs) {
  using report::Align;
  const bench::Curve ours = bench::mean_convoy(runs), theirs = bench::mean_peer(runs);
  report::Table table({{"epoch", Align::right},
                       {"train loss", Align::right},
                       {"PyTorch", Align::right},
                       {"test loss", Align::right},
                       {"PyTorch", Align::right},
                       {"test accuracy", Align::right},
                       {"PyTorch", Align::right}});
  for (std::size_t e = 0; e < ours.size(); ++e)
    table.add({std::to_string(e + 1), fmt::format("{:.3f}", ours[e].train_loss),
               fmt::format("{:.3f}", theirs[e].train_loss), fmt::format("{:.3f}", ours[e].test_loss),
               fmt::format("{:.3f}", theirs[e].test_loss),
               fmt::format("{:.2f} %", 100 * ours[e].test_accuracy),
               fmt::format("{:.2f} %", 100 * theirs[e].test_accuracy)});
  return table.str() + (runs.size() > 1 ? fmt::format("\nMeans over {} runs.\n", runs.size()) : "");
}

report::Series series(const std::string& name, const bench::Curve& curve, double bench::EpochPoint::*value) {
  report::Series line{.name = name};
  for (std::size_t e = 0; e < curve.size(); ++e)
    line.points.push_back({static_cast<double>(e + 1), curve[e].*value});
  return line;
}

std::string chart(const std::vector<bench::RunCurves>& runs) {
  const bench::Curve ours = bench::mean_convoy(runs), theirs = bench::mean_peer(runs);
  const std::string what = fmt::format("{}{}", runs[0].model, runs.size() > 1 ? ", mean of the runs" : "");
  report::Chart accuracy{.title = what + ": test accuracy",
                         .x_label = "epoch",
                         .y_label = "accuracy",
                         .x_whole = true,
                         .y_percent = true};
  accuracy.series = {series("Convoy", ours, &bench::EpochPoint::test_accuracy),
                     series("PyTorch", theirs, &bench::EpochPoint::test_accuracy)};
  report::Chart loss{
      .title = what + ": training loss", .x_label = "epoch", .y_label = "loss", .x_whole = true};
  loss.series = {series("Convoy", ours, &bench::EpochPoint::train_loss),
                 series("PyTorch", theirs, &bench::EpochPoint::train_loss)};
  return report::svg_panels({accuracy, loss});
}

void answer(const Options& options) {
  std::vector<bench::RunCurves> runs;
  for (const std::string& run : options.runs) runs.push_back(bench::follow_run(run, options.threads));
  const io::Json json = to_json(runs, options.threads);
  if (options.json)
    fmt::print("{}", json.dump(1));
  else
    fmt::print("{}", table(runs));
  if (!options.record.empty()) io::write_file_atomically(options.record, json.dump(1));
  if (!options.svg.empty()) io::write_file_atomically(options.svg, chart(runs));
}

constexpr const char* kExample =
    "\nA run directory is what `convoy train` leaves. PyTorch gets the run's initial weights, and then its "
    "batches\n"
    "and learning rates, one after the other; several runs (folds, seeds) are shown by their mean.\n"
    "\nExample:\n"
    "  convoy train --model cifar-resnet20 --data cifar10 --epochs 12 --output runs/cifar\n"
    "  learning_curve runs/cifar --svg curve.svg\n";

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Learning curves of finished runs beside PyTorch's from the same weights and batches.",
               "learning_curve");
  app.footer(kExample);
  app.add_option("RUN", options.runs, "run directories of a cifar-resnet, trained with momentum")->required();
  app.add_option("--threads", options.threads, "of PyTorch (2)")->check(CLI::Range(1, 1024));
  app.add_option("--record", options.record, "also write the JSON object to this file");
  app.add_option("--svg", options.svg, "also draw the curves into this file");
  app.add_flag("--json", options.json, "print one JSON object instead of the table");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? 0 : static_cast<int>(base::ExitCode::usage);
  }
  try {
    answer(options);
    return 0;
  } catch (const base::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
