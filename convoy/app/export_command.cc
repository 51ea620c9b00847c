#include <ostream>

#include "convoy/app/commands.h"
#include "convoy/base/error.h"
#include "convoy/io/json.h"
#include "convoy/report/text.h"
#include "convoy/run/model_exchange.h"

namespace convoy::app {
namespace {

int run_export(const CommandLine& line, Session& session) {
  const bool fresh = line.settings.contains("model");
  if (fresh != (line.arguments.size() == 1))
    throw base::UsageError(
        "give a CHECKPOINT and a FILE.onnx, or --model and a FILE.onnx; see 'convoy export --help'");
  const run::ResolvedConfig resolved = run::resolve_config("", line.settings, session.environment);
  const std::string& path = line.arguments.back();
  const run::ExchangeReport report =
      fresh ? run::export_fresh(resolved.config, path) : run::export_checkpoint(line.arguments[0], path);
  print_exchange(report, line.has("json"), session);
  return 0;
}

}  // namespace

void print_exchange(const run::ExchangeReport& report, bool json, Session& session) {
  for (const std::string& note : report.notes) session.err << "convoy: note: " << note << "\n";
  if (json) {
    io::Json object = io::Json::object({{"model", report.model},
                                        {"path", report.path},
                                        {"layers", report.layers},
                                        {"parameters", report.parameters}});
    if (report.opset > 0) object.set("opset", report.opset).set("size_bytes", report.size_bytes);
    session.out << object.dump(2);
    return;
  }
  session.out << report.model << ": " << report::thousands(report.layers) << " layers, "
              << report::thousands(report.parameters) << " parameters";
  if (report.opset > 0)
    session.out << ", opset " << report.opset << ", " << report::memory_size(report.size_bytes);
  session.out << "\nwritten: " << report.path << "\n";
}

Command export_command() {
  static constexpr OptionSpec kOptions[] = {{"json", "", "print the result as one JSON object"}};
  static constexpr std::string_view kSettings[] = {"model", "data", "seed"};
  return {.name = "export",
          .summary = "write a model as an ONNX file: a checkpoint, or a new one",
          .arguments = "[CHECKPOINT] FILE.onnx",
          .example =
              "  convoy export runs/mine mine.onnx\n"
              "  convoy export --model lenet5 --data mnist --seed 1 lenet5.onnx\n",
          .settings = kSettings,
          .options = kOptions,
          .least_arguments = 1,
          .most_arguments = 2,
          .run = run_export};
}

}  // namespace convoy::app
