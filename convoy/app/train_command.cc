#include <cmath>
#include <optional>
#include <ostream>

#include "convoy/app/commands.h"
#include "convoy/app/inspect_text.h"
#include "convoy/app/profile_text.h"
#include "convoy/app/run_report.h"
#include "convoy/app/signals.h"
#include "convoy/app/train_view.h"
#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/report/confusion.h"
#include "convoy/report/text.h"
#include "convoy/run/inspect.h"

namespace convoy::app {
namespace {

bool is_interrupted(const run::TrainResult& result) {
  return result.outcome.end == train::Outcome::End::interrupted;
}

// A run that was stopped within its first epoch has seen no test image; one without labels has no accuracy.
io::Json result_json(const run::TrainResult& result, const std::string& trace_path) {
  const bool has_accuracy = !result.confusion.empty();
  io::Json json =
      io::Json::object({{"test_accuracy", has_accuracy ? io::Json(result.test_accuracy) : io::Json()},
                        {"test_loss", result.tested ? io::Json(result.test_loss) : io::Json()},
                        {"epochs", result.epochs},
                        {"steps", result.outcome.steps},
                        {"seconds", result.seconds},
                        {"images_per_second", result.images_per_second},
                        {"data_wait_seconds", result.data_wait_seconds},
                        {"bad_examples", result.bad_examples},
                        {"peak_memory_bytes", result.peak_memory_bytes},
                        {"run_directory", result.run_directory},
                        {"checkpoint", result.checkpoint},
                        {"interrupted", is_interrupted(result)}});
  if (result.profile)
    json.set("profile", profile_rows_json(*result.profile))
        .set("profile_summary", profile_summary_json(*result.profile))
        .set("trace", trace_path.empty() ? io::Json() : io::Json(trace_path));
  return json;
}

// The table for people, and the trace file's path.
std::string show_profile(const run::Prelude& prelude, const run::ProfileReport& profile, Session& session) {
  const std::string path = write_profile_trace(prelude, profile);
  session.err << profile_text(profile);
  if (!path.empty()) session.err << "trace: " << path << " (open it at https://ui.perfetto.dev)\n";
  return path;
}

void print_result(const run::TrainResult& result, const std::string& report_path, Session& session) {
  std::ostream& out = session.out;
  if (!result.confusion.empty()) {
    out << "test accuracy " << report::percent(result.test_accuracy, 2) << ", loss "
        << report::significant(result.test_loss, 4) << "\n\n"
        << report::print({result.confusion, result.class_names}, session.out_terminal.colours) << "\n";
  } else if (result.tested) {
    out << "test loss " << report::significant(result.test_loss, 4) << "\n";
  }
  out << report::thousands(result.outcome.steps) << " steps in " << report::duration(result.seconds) << ", "
      << report::thousands(std::llround(result.images_per_second)) << " images/s, peak memory "
      << report::memory_size(result.peak_memory_bytes) << "; waited "
      << report::duration(result.data_wait_seconds) << " for data\n";
  if (result.bad_examples > 0)
    out << report::thousands(result.bad_examples) << " bad examples were passed over\n";
  if (is_interrupted(result))
    out << "interrupted; go on with: convoy train --config " << result.run_directory
        << "/config.toml --output " << result.run_directory << " --resume auto\n";
  out << "report: " << report_path << "\nrun directory: " << result.run_directory << "\n";
}

int dry_run(const run::ResolvedConfig& resolved, bool json, Session& session) {
  const run::InspectReport report = run::inspect(resolved.config);
  if (json)
    session.out << inspection_json(report).dump(2);
  else
    session.out << inspection_text(report, "summary") << "\nplan:\n" << report.plan_text;
  return 0;
}

int run_train(const CommandLine& line, Session& session) {
  const run::ResolvedConfig resolved =
      run::resolve_config(line.text("config", ""), line.settings, session.environment);
  if (line.has("print-config")) {
    session.out << run::to_toml(resolved, /*with_origins=*/true);
    return 0;
  }
  if (line.has("dry-run")) return dry_run(resolved, line.has("json"), session);

  std::optional<SignalScope> signals;
  if (session.handles_signals) signals.emplace(session.stop);
  run::TrainResult result;
  run::Prelude prelude;
  {
    TrainView view(session, line.has("quiet"));
    result = run::train(resolved, view.observer(), session.stop);
    prelude = view.prelude();
  }
  const std::string report_path = write_run_report(prelude, result, resolved);
  const std::string trace_path =
      result.profile ? show_profile(prelude, *result.profile, session) : std::string();
  if (line.has("json"))
    session.out << result_json(result, trace_path).dump(2);
  else
    print_result(result, report_path, session);
  return static_cast<int>(is_interrupted(result) ? base::ExitCode::interrupted : base::ExitCode::done);
}

}  // namespace

Command train_command() {
  static constexpr OptionSpec kOptions[] = {
      {"config", "FILE", "read settings from a TOML file"},
      {"print-config", "", "print every setting and where it comes from, and stop"},
      {"dry-run", "", "print shapes, memory, plan and predicted time, and stop"},
      {"json", "", "print the result as one JSON object"},
      {"quiet", "", "no progress"},
  };
  static constexpr std::string_view kSettings[] = {"model.", "data.", "train.", "execution.", "output."};
  return {.name = "train",
          .summary = "train a model, test it, and keep checkpoints and a report in a run directory",
          .arguments = "",
          .example =
              "  convoy train --model lenet5 --data mnist --epochs 10 --seed 1\n"
              "  convoy train --model lenet5 --data folder:photos --image-size 64 --augment "
              "resized_crop,flip\n"
              "  convoy train --config runs/mine/config.toml --output runs/mine --resume auto\n",
          .settings = kSettings,
          .options = kOptions,
          .run = run_train};
}

}  // namespace convoy::app
