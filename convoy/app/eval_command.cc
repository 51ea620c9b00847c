#include <ostream>

#include "convoy/app/commands.h"
#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/json.h"
#include "convoy/report/confusion.h"
#include "convoy/report/text.h"
#include "convoy/run/model_file.h"

namespace convoy::app {
namespace {

// The settings that the checkpoint was trained with, under those that the user gives now.
run::RunConfig evaluation_config(const run::Model& model, const CommandLine& line, Session& session) {
  run::RunConfig config = model.settings();
  const run::ResolvedConfig given =
      run::resolve_config(line.text("config", ""), line.settings, session.environment);
  for (const run::Setting& setting : run::settings()) {
    const auto origin = given.origins.find(setting.name);
    if (origin == given.origins.end() || origin->second == run::Origin::standard) continue;
    const base::Verdict verdict = setting.set(config, setting.get(given.config));
    CONVOY_CHECK(verdict.ok(), setting.name, " was accepted before");
  }
  return config;
}

std::vector<std::vector<std::int64_t>> square(const train::EvalResult& result) {
  std::vector<std::vector<std::int64_t>> rows;
  for (std::int64_t label = 0; label < result.classes; ++label) {
    std::vector<std::int64_t>& row = rows.emplace_back();
    for (std::int64_t other = 0; other < result.classes; ++other)
      row.push_back(result.confusion_at(label, other));
  }
  return rows;
}

io::Json result_json(const train::EvalResult& result, const run::RunConfig& config,
                     const std::string& split) {
  io::Json confusion = io::Json::array();
  for (const auto& row : square(result)) {
    io::Json cells = io::Json::array();
    for (const std::int64_t count : row) cells.append(count);
    confusion.append(std::move(cells));
  }
  return io::Json::object({{"data", config.data},
                           {"split", split},
                           {"samples", result.samples},
                           {"loss", result.loss},
                           {"accuracy", result.classes > 0 ? io::Json(result.accuracy()) : io::Json()},
                           {"confusion", confusion}});
}

int run_eval(const CommandLine& line, Session& session) {
  const std::string split = line.text("split", "test");
  if (split != "test" && split != "train")
    throw base::UsageError(base::str("--split must be test or train, not '", split, "'"));
  const auto threads = line.settings.find("threads");
  // Judged before a checkpoint is opened, which takes the number of threads.
  const run::ResolvedConfig given =
      run::resolve_config(line.text("config", ""), line.settings, session.environment);
  const ModelArgument argument = model_argument(line);
  if (!argument.rest.empty())
    throw base::UsageError(base::str("'", argument.rest[0], "' is one argument too many for convoy eval"));
  const auto model = run::open_model(
      {.path = argument.path, .threads = threads == line.settings.end() ? 0 : given.config.threads});
  const run::RunConfig config = evaluation_config(*model, line, session);
  const train::EvalResult result = model->evaluate(config, split == "test");
  if (line.has("json")) {
    session.out << result_json(result, config, split).dump(2);
    return 0;
  }
  session.out << config.data << " " << split << ": ";
  if (result.classes > 0) session.out << "accuracy " << report::percent(result.accuracy(), 2) << ", ";
  session.out << "loss " << report::significant(result.loss, 4) << ", " << report::thousands(result.samples)
              << " images\n";
  if (result.classes > 0)
    session.out << "\n"
                << report::print({square(result), model->class_names()}, session.out_terminal.colours);
  return 0;
}

}  // namespace

Command eval_command() {
  static constexpr OptionSpec kOptions[] = {
      {"split", "PART", "the part of the data set: test (default) or train"},
      {"config", "FILE", "read settings from a TOML file"},
      {"json", "", "print the result as one JSON object"},
  };
  static constexpr std::string_view kSettings[] = {
      "model",      "data", "data_dir", "offline", "train_size", "test_size", "image_size",    "centre_crop",
      "test_share", "fold", "max_bad",  "batch",   "seed",       "threads",   "loader_workers"};
  return {
      .name = "eval",
      .summary = "loss, accuracy and confusion of a trained model on a data set",
      .arguments = "[CHECKPOINT]",
      .example =
          "  convoy eval runs/mine --data mnist\n  convoy eval --model net.onnx --data mnist\n\n"
          "CHECKPOINT is a run directory (its newest checkpoint), one of its checkpoints, or an ONNX file. "
          "What is not\ngiven is as in its training.\n",
      .settings = kSettings,
      .options = kOptions,
      .most_arguments = 1,
      .run = run_eval};
}

}  // namespace convoy::app
