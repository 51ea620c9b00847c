#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <ostream>
#include <utility>

#include "convoy/app/commands.h"
#include "convoy/app/signals.h"
#include "convoy/app/tune_view.h"
#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/base/log.h"
#include "convoy/benchkit/conv_layers.h"
#include "convoy/io/json.h"
#include "convoy/report/table.h"
#include "convoy/report/text.h"
#include "convoy/run/assemble.h"
#include "convoy/run/config.h"
#include "convoy/run/nearest.h"
#include "convoy/run/tuning.h"

namespace convoy::app {
namespace {

using run::TeamTimes;
using run::TuningResult;
using tune::TuneRow;

// Warnings of the cache, without running into the line of progress.
class LogScope {
 public:
  LogScope(Session& session, TuneView& view) {
    base::set_log_sink([&session, &view](base::LogLevel level, const std::string& line) {
      view.clear();
      session.err << "convoy: " << (level == base::LogLevel::warning ? "warning: " : "") << line << "\n"
                  << std::flush;
    });
  }
  ~LogScope() { base::set_log_sink(nullptr); }
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;
};

std::string milliseconds(double seconds) { return report::significant(seconds * 1e3, 3); }

// "+12 %": predicted over measured, less 1.
std::string error_text(const TuneRow& row) {
  return fmt::format("{:+.0f} %", (row.predicted_seconds / row.seconds - 1) * 100);
}

report::Table make_table() {
  using report::Align;
  return report::Table({{"layer"},
                        {"direction"},
                        {"kernel"},
                        {"predicted ms", Align::right},
                        {"measured ms", Align::right},
                        {"error", Align::right},
                        {"workspace", Align::right},
                        {""}});
}

void add_row(const TuneRow& row, report::Table& table) {
  const bool timed = row.state == TuneRow::State::timed;
  table.add({row.layer, std::string(kernels::name(row.pass)), row.entry, milliseconds(row.predicted_seconds),
             row.measured() ? milliseconds(row.seconds) : "-", row.measured() ? error_text(row) : "-",
             timed ? report::memory_size(row.workspace_bytes) : "-",
             row.fastest      ? "fastest"
             : row.measured() ? timed ? "" : "known"
                              : row.reason});
}

std::vector<TuneRow> all_rows(const TuningResult& result) {
  std::vector<TuneRow> rows;
  for (const TeamTimes& team : result.teams) rows.insert(rows.end(), team.rows.begin(), team.rows.end());
  return rows;
}

// Equal reasons of an entry once, with the number of passes that they hold for.
std::string refusals(const std::vector<TuneRow>& rows) {
  std::vector<std::pair<std::string, int>> reasons;
  for (const TuneRow& row : rows) {
    if (row.state != TuneRow::State::refused) continue;
    const std::string line = row.entry + ": " + row.reason;
    const auto known = std::find_if(reasons.begin(), reasons.end(),
                                    [&](const auto& reason) { return reason.first == line; });
    if (known == reasons.end())
      reasons.emplace_back(line, 1);
    else
      ++known->second;
  }
  std::string text = reasons.empty() ? "" : "refused:\n";
  for (const auto& [line, count] : reasons)
    text += fmt::format("  {} ({} pass{})\n", line, count, count == 1 ? "" : "es");
  return text;
}

void print(const TuningResult& result, Session& session) {
  for (const TeamTimes& team : result.teams) {
    report::Table table = make_table();
    const TuneRow* before = nullptr;
    for (const TuneRow& row : team.rows) {
      if (row.state == TuneRow::State::refused) continue;
      if (before != nullptr && (before->layer != row.layer || before->pass != row.pass)) table.add_rule();
      add_row(row, table);
      before = &row;
    }
    session.out << team.threads << (team.threads == 1 ? " thread\n" : " threads\n") << table.str() << "\n";
  }
  const std::vector<TuneRow> rows = all_rows(result);
  const auto measured =
      std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.measured(); });
  session.out << refusals(rows) << measured << " measured kernels, " << result.timed << " of them now, in "
              << report::duration(result.seconds) << "; median prediction error "
              << report::percent(tune::median_prediction_error(rows), 0) << "\n";
  if (!result.path.empty()) session.out << "kept in " << result.path << "\n";
}

io::Json row_json(const TuneRow& row, int threads) {
  const auto number = [](double value) { return value > 0 ? io::Json(value) : io::Json(); };
  return io::Json::object(
      {{"layer", row.layer},
       {"direction", kernels::name(row.pass)},
       {"kernel", row.entry},
       {"threads", threads},
       {"state", tune::name(row.state)},
       {"predicted_seconds", number(row.predicted_seconds)},
       {"measured_seconds", number(row.seconds)},
       {"prediction_error", row.measured() ? io::Json(row.prediction_error()) : io::Json()},
       {"workspace_bytes", row.state == TuneRow::State::timed ? io::Json(row.workspace_bytes) : io::Json()},
       {"winner", row.fastest},
       {"reason", row.reason}});
}

io::Json result_json(const TuningResult& result) {
  io::Json kernels = io::Json::array();
  for (const TeamTimes& team : result.teams)
    for (const TuneRow& row : team.rows) kernels.append(row_json(row, team.threads));
  const double error = tune::median_prediction_error(all_rows(result));
  return io::Json::object({{"kernels", kernels},
                           {"timed", result.timed},
                           {"seconds", result.seconds},
                           {"median_prediction_error", error},
                           {"cache", result.path}});
}

// The problems of --problem and --set, each with the name of its layer.
std::vector<benchkit::ConvLayer> problems(const CommandLine& line) {
  std::vector<benchkit::ConvLayer> list;
  if (line.has("set")) {
    const std::string name = line.text("set", "");
    const benchkit::ConvSet* set = benchkit::find_conv_set(name);
    if (set == nullptr) {
      std::vector<std::string_view> known;
      std::string names;
      for (const benchkit::ConvSet& each : benchkit::conv_sets()) {
        known.push_back(each.name);
        names += base::str(names.empty() ? "" : ", ", each.name);
      }
      throw base::UsageError(
          base::str("--set must be one of ", names, ", not '", name, "'", run::suggestion(name, known)));
    }
    list = set->layers;
  }
  if (line.has("problem")) {
    const auto problem = benchkit::ConvProblem::parse(line.text("problem", ""));
    if (!problem) throw base::UsageError(base::str("--problem: ", problem.reason().text));
    list.push_back({.name = problem->str(), .problem = *problem});
  }
  return list;
}

std::vector<run::NamedProblem> named_problems(const std::vector<benchkit::ConvLayer>& layers) {
  std::vector<run::NamedProblem> list;
  for (const benchkit::ConvLayer& layer : layers)
    for (const kernels::Pass pass :
         {kernels::Pass::forward, kernels::Pass::backward_data, kernels::Pass::backward_weights})
      list.push_back({layer.name, layer.problem.kernel_problem(pass, kernels::LayoutFamily::plain)});
  return list;
}

int run_tune(const CommandLine& line, Session& session) {
  std::map<std::string, std::string> settings = line.settings;
  if (!line.arguments.empty() && !settings.emplace("model", line.arguments[0]).second)
    throw base::UsageError("the model is given twice: as an argument and with --model");
  run::ResolvedConfig resolved = run::resolve_config(line.text("config", ""), settings, session.environment);
  run::take_own_shape(resolved);
  run::RunConfig& config = resolved.config;
  config.tune = line.has("force") ? "force" : "auto";
  const std::vector<benchkit::ConvLayer> layers = problems(line);

  std::optional<SignalScope> signals;
  if (session.handles_signals) signals.emplace(session.stop);
  TuneView view(session);
  const LogScope log(session, view);
  run::PlanningBasis basis(config);
  run::TuningOptions options{.probe = true, .stop = &session.stop};
  if (!line.has("quiet"))
    options.on_progress = [&](const auto& progress, int threads) { view.show(progress, threads); };
  const TuningResult result =
      layers.empty() ? run::tune_model(run::build_configured_model(config), config, basis, options)
                     : run::tune_problems(named_problems(layers), config, basis, options);
  view.clear();
  if (line.has("json"))
    session.out << result_json(result).dump(2);
  else
    print(result, session);
  // What was timed is kept, and a scheduler may start it again.
  return static_cast<int>(session.stop.stop_requested() ? base::ExitCode::interrupted : base::ExitCode::done);
}

}  // namespace

Command tune_command() {
  static constexpr OptionSpec kOptions[] = {
      {"problem", "TEXT", "time this convolution instead of a model's, such as n32c64h56k64r3s1p1"},
      {"set", "NAME", "time a set of layers instead; 'convoy bench --help' lists them"},
      {"force", "", "time also what the cache knows, and probe the machine again"},
      {"config", "FILE", "read settings from a TOML file"},
      {"json", "", "print the result as one JSON object"},
      {"quiet", "", "no progress"},
  };
  static constexpr std::string_view kSettings[] = {
      "model.", "data",    "data_dir",       "image_size",      "batch",       "threads",
      "layout", "kernels", "conv_algorithm", "workspace_limit", "error_limit", "precision"};
  return {.name = "tune",
          .summary = "time the convolution algorithms of a model and keep the times for its plans",
          .arguments = "[MODEL]",
          .example =
              "  convoy tune lenet5 --batch 64\n"
              "  convoy tune --problem n32c64h56k64r3s1p1 --workspace-limit 16M --threads 1\n",
          .settings = kSettings,
          .options = kOptions,
          .most_arguments = 1,
          .run = run_tune};
}

}  // namespace convoy::app
