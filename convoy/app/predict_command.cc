#include <limits>
#include <ostream>

#include "convoy/app/commands.h"
#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/json.h"
#include "convoy/report/table.h"
#include "convoy/report/text.h"
#include "convoy/run/model_file.h"

namespace convoy::app {
namespace {

std::string class_name(const std::vector<std::string>& names, std::int64_t index) {
  const auto at = static_cast<std::size_t>(index);
  return at < names.size() ? names[at] : std::to_string(index);
}

io::Json predictions_json(const std::vector<run::Prediction>& predictions,
                          const std::vector<std::string>& names) {
  io::Json list = io::Json::array();
  for (const run::Prediction& prediction : predictions) {
    io::Json top = io::Json::array();
    for (std::size_t i = 0; i < prediction.classes.size(); ++i)
      top.append(io::Json::object({{"class", prediction.classes[i]},
                                   {"class_name", class_name(names, prediction.classes[i])},
                                   {"probability", prediction.probabilities[i]}}));
    list.append(io::Json::object({{"file", prediction.file},
                                  {"class", prediction.classes[0]},
                                  {"class_name", class_name(names, prediction.classes[0])},
                                  {"probability", prediction.probabilities[0]},
                                  {"top", std::move(top)}}));
  }
  return io::Json::object({{"predictions", std::move(list)}});
}

int run_predict(const CommandLine& line, Session& session) {
  const run::ResolvedConfig given = run::resolve_config("", line.settings, session.environment);
  const int top = line.integer("top", 1, 1, 1'000'000);
  const ModelArgument argument = model_argument(line);
  if (argument.rest.empty())
    throw base::UsageError("'convoy predict' needs an IMAGE; see 'convoy predict --help'");
  const auto model = run::open_model({.path = argument.path, .threads = given.config.threads});
  const std::vector<run::Prediction> predictions = model->predict(argument.rest, top);
  if (line.has("json")) {
    session.out << predictions_json(predictions, model->class_names()).dump(2);
    return 0;
  }
  report::Table table({{""}, {""}, {"", report::Align::right}});
  for (const run::Prediction& prediction : predictions)
    for (std::size_t i = 0; i < prediction.classes.size(); ++i)
      table.add({i == 0 ? prediction.file : "", class_name(model->class_names(), prediction.classes[i]),
                 report::percent(prediction.probabilities[i], 1)});
  session.out << table.str();
  return 0;
}

}  // namespace

Command predict_command() {
  static constexpr OptionSpec kOptions[] = {
      {"top", "K", "the K most probable classes of each image (default 1)"},
      {"json", "", "print one JSON object with a list of predictions"},
  };
  static constexpr std::string_view kSettings[] = {"model", "threads"};
  return {.name = "predict",
          .summary = "classify image files (PNM, PNG or JPEG) with a trained model",
          .arguments = "[CHECKPOINT] IMAGE...",
          .example =
              "  convoy predict runs/mine digit.png --top 3\n"
              "  convoy predict --model net.onnx photo.jpg\n",
          .settings = kSettings,
          .options = kOptions,
          .least_arguments = 1,
          .most_arguments = std::numeric_limits<int>::max(),
          .run = run_predict};
}

}  // namespace convoy::app
