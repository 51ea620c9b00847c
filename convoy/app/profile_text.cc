#include "convoy/app/profile_text.h"

#include <fmt/format.h>

#include "convoy/io/file.h"
#include "convoy/report/chrome_trace.h"
#include "convoy/report/table.h"
#include "convoy/report/text.h"

namespace convoy::app {
namespace {

using exec::ProfileRow;
using report::Align;
using run::ProfileReport;

double rate(const ProfileRow& row) { return row.seconds > 0 ? row.flops / row.seconds : 0; }

class Text {
 public:
  explicit Text(const ProfileReport& profile) : profile_(profile) {}

  std::string str(std::size_t most_rows) {
    ProfileRow rest{.layer = ""};
    for (std::size_t i = 0; i < profile_.rows.size(); ++i) {
      if (i < most_rows)
        add(profile_.rows[i]);
      else
        merge(profile_.rows[i], rest);
    }
    if (profile_.rows.size() > most_rows) {
      rest.layer = fmt::format("{} more", profile_.rows.size() - most_rows);
      add(rest);
    }
    table_.add_rule();
    for (const ProfileRow& row : profile_.others) add(row);
    table_.add_rule();
    ProfileRow sum{.direction = "sum", .seconds = profile_.explained_seconds()};
    for (const ProfileRow& row : profile_.rows) sum.flops += row.flops;
    add(sum);
    return head() + table_.str() + tail();
  }

 private:
  static void merge(const ProfileRow& row, ProfileRow& into) {
    into.seconds += row.seconds;
    into.flops += row.flops;
    into.bytes += row.bytes;
  }

  void add(const ProfileRow& row) {
    const bool counted = row.flops > 0;
    const std::string bytes =
        row.bytes > 0 ? report::memory_size(static_cast<std::int64_t>(row.bytes)) : std::string();
    table_.add({row.layer, row.direction, row.kernel, fmt::format("{:.3f}", 1e3 * row.seconds),
                report::percent(row.seconds / profile_.step_seconds, 1),
                counted ? fmt::format("{:.1f}", 1e-9 * rate(row)) : "",
                counted ? report::percent(rate(row) / profile_.machine.f32_flops, 0) : "", bytes});
  }

  std::string head() const {
    return fmt::format("profile: steps {} to {}, {:.3f} ms a step; peak {:.1f} GFLOP/s, {} thread{}\n",
                       profile_.first_step, profile_.first_step + profile_.steps - 1,
                       1e3 * profile_.step_seconds, 1e-9 * profile_.machine.f32_flops,
                       profile_.machine.threads, profile_.machine.threads == 1 ? "" : "s");
  }

  std::string tail() const {
    return fmt::format("the sum is {} of the step\n", report::percent(profile_.explained_share(), 2));
  }

  const ProfileReport& profile_;
  report::Table table_{{{"layer"},
                        {"direction"},
                        {"kernel"},
                        {"ms", Align::right},
                        {"share", Align::right},
                        {"GFLOP/s", Align::right},
                        {"of peak", Align::right},
                        {"bytes", Align::right}}};
};

io::Json text_or_null(const std::string& text) { return text.empty() ? io::Json() : io::Json(text); }
io::Json positive_or_null(double value) { return value > 0 ? io::Json(value) : io::Json(); }

}  // namespace

std::string profile_text(const ProfileReport& profile, int most_rows) {
  if (profile.steps == 0) return "profile: none, the run ended before its warm-up was over\n";
  return Text(profile).str(static_cast<std::size_t>(most_rows));
}

io::Json profile_rows_json(const ProfileReport& profile) {
  io::Json json = io::Json::array();
  for (const auto* list : {&profile.rows, &profile.others})
    for (const ProfileRow& row : *list)
      json.append(io::Json::object({{"layer", text_or_null(row.layer)},
                                    {"direction", row.direction},
                                    {"kernel", text_or_null(row.kernel)},
                                    {"seconds", row.seconds},
                                    {"share", row.seconds / profile.step_seconds},
                                    {"gflops_per_second", positive_or_null(1e-9 * rate(row))},
                                    {"peak_share", positive_or_null(rate(row) / profile.machine.f32_flops)},
                                    {"bytes", positive_or_null(row.bytes)}}));
  return json;
}

io::Json profile_summary_json(const ProfileReport& profile) {
  return io::Json::object({{"first_step", profile.first_step},
                           {"steps", profile.steps},
                           {"step_seconds", profile.step_seconds},
                           {"explained_share", profile.explained_share()},
                           {"steps_in_trace", profile.steps_in_timeline},
                           {"peak_flops", profile.machine.f32_flops},
                           {"memory_bandwidth", profile.machine.memory_bandwidth},
                           {"threads", profile.machine.threads},
                           {"cpu", profile.machine.cpu}});
}

std::string write_profile_trace(const run::Prelude& prelude, const ProfileReport& profile) {
  if (profile.steps == 0) return "";
  const std::string path = io::join_path(io::join_path(prelude.run_directory, "trace"),
                                         fmt::format("step-{:09}.json", profile.first_step));
  io::Json about = profile_summary_json(profile);
  about.set("model", prelude.model);
  report::write_chrome_trace(path, profile.timeline,
                             {.process = "convoy train " + prelude.model, .about = std::move(about)});
  return path;
}

}  // namespace convoy::app
