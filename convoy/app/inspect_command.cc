#include <algorithm>
#include <array>
#include <ostream>

#include "convoy/app/commands.h"
#include "convoy/app/inspect_text.h"
#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/models/catalog.h"
#include "convoy/run/assemble.h"
#include "convoy/run/config.h"
#include "convoy/run/nearest.h"

namespace convoy::app {
namespace {

constexpr std::array<std::string_view, 7> kParts = {"algorithms", "graph",   "layers", "memory",
                                                    "plan",       "program", "summary"};

int run_inspect(const CommandLine& line, Session& session) {
  const std::string part = line.text("only", "");
  if (line.has("only") && std::find(kParts.begin(), kParts.end(), part) == kParts.end())
    throw base::UsageError(
        base::str("--only must be algorithms, graph, layers, memory, plan, program or summary, not '", part,
                  "'", run::suggestion(part, {kParts.begin(), kParts.end()})));
  std::map<std::string, std::string> settings = line.settings;
  if (!line.arguments.empty() && !settings.emplace("model", line.arguments[0]).second)
    throw base::UsageError("the model is given twice: as an argument and with --model");
  run::ResolvedConfig resolved = run::resolve_config(line.text("config", ""), settings, session.environment);
  run::take_own_shape(resolved);
  const run::InspectReport report = run::inspect(resolved.config);
  if (line.has("json"))
    session.out << inspection_json(report).dump(2);
  else
    session.out << inspection_text(report, part);
  return 0;
}

// The models, for --help; the table of commands keeps the text.
std::string_view example() {
  static const std::string kText = [] {
    std::string text =
        "  convoy inspect lenet5 --batch 128 --optimizer adam\n"
        "  convoy inspect resnet50 --width 0.5 --input 3x64x64 --classes 10\n\nmodels:\n";
    for (const models::ModelKind& kind : models::catalog())
      text += base::str("  ", kind.name, ": ", kind.description, "\n");
    return text;
  }();
  return kText;
}

}  // namespace

Command inspect_command() {
  static constexpr OptionSpec kOptions[] = {
      {"json", "", "print everything as one JSON object"},
      {"only", "PART", "print one part: algorithms, graph, layers, memory, plan, program or summary"},
      {"config", "FILE", "read settings from a TOML file"},
  };
  static constexpr std::string_view kSettings[] = {
      "model.",  "data",   "data_dir",     "image_size",     "batch",           "optimizer",
      "threads", "layout", "kernels",      "conv_algorithm", "workspace_limit", "error_limit",
      "tune",    "fuse",   "share_memory", "recompute",      "memory",          "precision"};
  return {.name = "inspect",
          .summary = "print a model: layers, shapes, work, training memory, plan and program",
          .arguments = "[MODEL]",
          .example = example(),
          .settings = kSettings,
          .options = kOptions,
          .most_arguments = 1,
          .run = run_inspect};
}

}  // namespace convoy::app
