#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <ostream>

#include "convoy/app/commands.h"
#include "convoy/app/line_view.h"
#include "convoy/app/signals.h"
#include "convoy/base/clock.h"
#include "convoy/base/error.h"
#include "convoy/base/threads.h"
#include "convoy/data/picture_check.h"
#include "convoy/data/shard_pack.h"
#include "convoy/io/json.h"
#include "convoy/report/progress.h"
#include "convoy/report/table.h"
#include "convoy/report/text.h"
#include "convoy/run/nearest.h"

namespace convoy::app {
namespace {

using report::Align;
using report::thousands;

constexpr int kBarColumns = 24;
constexpr std::size_t kMostShown = 20;  // problems; --json has all

// "packing ████▌···  1,200/60,000, 812 images/s, 1m12s left".
class CountView {
 public:
  CountView(Session& session, bool quiet, std::string what)
      : session_(session), line_(session), quiet_(quiet), what_(std::move(what)) {}

  void show(std::int64_t done, std::int64_t total) {
    const double seconds = clock_->now() - begin_;
    if (quiet_ || done == 0 || seconds <= 0) return;
    const double rate = static_cast<double>(done) / seconds;
    const report::Terminal& terminal = session_.err_terminal;
    const double share = static_cast<double>(done) / static_cast<double>(total);
    line_.show(seconds,
               fmt::format("{} {}{}/{}, {} images/s, {} left", what_,
                           terminal.redraws ? report::progress_bar(share, kBarColumns, terminal.colours) + " "
                                            : std::string(),
                           thousands(done), thousands(total), thousands(static_cast<std::int64_t>(rate)),
                           report::duration(static_cast<double>(total - done) / rate)));
  }
  void clear() { line_.clear(); }

 private:
  Session& session_;
  LineView line_;
  bool quiet_;
  std::string what_;
  std::unique_ptr<base::Clock> clock_ = base::make_steady_clock();
  double begin_ = clock_->now();
};

int status(const Session& session) {
  return static_cast<int>(session.stop.stop_requested() ? base::ExitCode::interrupted : base::ExitCode::done);
}

// ---- pack

io::Json packed_json(const data::PackResult& result, const std::string& output) {
  io::Json parts = io::Json::array();
  for (const data::PackedPart& part : result.parts)
    parts.append(io::Json::object({{"name", part.name},
                                   {"images", part.pictures},
                                   {"classes", part.classes},
                                   {"shards", part.shards},
                                   {"bytes", part.bytes}}));
  return io::Json::object(
      {{"directory", output}, {"complete", result.complete}, {"parts", std::move(parts)}});
}

int run_pack(const CommandLine& line, const std::string& source, Session& session) {
  data::PackConfig config{.output = line.text("out", "")};
  if (config.output.empty()) throw base::UsageError("'convoy data pack' needs --out DIRECTORY");
  config.shard_bytes = line.size_bytes("shard-size", config.shard_bytes);
  config.seed = static_cast<std::uint64_t>(line.integer("seed", 1, 0, std::numeric_limits<int>::max()));
  CountView view(session, line.has("quiet"), "packing");
  const data::PackResult result =
      data::pack_shards(data::find_pictures(source), config, [&](const data::PackProgress& progress) {
        view.show(progress.done, progress.total);
        return !session.stop.stop_requested();
      });
  view.clear();
  if (line.has("json")) {
    session.out << packed_json(result, config.output).dump(2);
    return status(session);
  }
  report::Table table({{"part"},
                       {"images", Align::right},
                       {"classes", Align::right},
                       {"shards", Align::right},
                       {"size", Align::right}});
  for (const data::PackedPart& part : result.parts)
    table.add({part.name, thousands(part.pictures), thousands(part.classes), thousands(part.shards),
               report::memory_size(part.bytes)});
  if (result.complete)
    session.out << table.str() << "\ntrain with: --data shards:" << config.output << "\n";
  else
    session.out << "interrupted; nothing was written\n";
  return status(session);
}

// ---- check

struct CheckedPart {
  std::string name;
  std::shared_ptr<const data::PictureStore> store;
  data::PictureSummary summary;
};

std::vector<CheckedPart> check(const std::string& source, int threads, const CommandLine& line,
                               Session& session) {
  const data::PicturePlace place = data::find_pictures(source);
  std::vector<CheckedPart> parts;
  parts.push_back({place.test ? "train" : "all", place.train(), {}});
  if (place.test) parts.push_back({"test", place.test(), {}});
  for (CheckedPart& part : parts) {
    CountView view(session, line.has("quiet"), "checking " + part.name);
    const std::int64_t total = data::picture_count(*part.store);
    part.summary = data::check_pictures(*part.store, threads, [&](std::int64_t done) {
      view.show(done, total);
      return !session.stop.stop_requested();
    });
    view.clear();
  }
  return parts;
}

io::Json checked_json(const CheckedPart& part) {
  io::Json classes = io::Json::array(), problems = io::Json::array();
  for (std::size_t c = 0; c < part.store->class_names().size(); ++c)
    classes.append(
        io::Json::object({{"name", part.store->class_names()[c]}, {"images", part.store->counts()[c]}}));
  for (const std::string& problem : part.summary.problems) problems.append(problem);
  const data::PictureSummary& summary = part.summary;
  return io::Json::object({{"name", part.name},
                           {"images", data::picture_count(*part.store)},
                           {"checked", summary.checked},
                           {"bytes", summary.bytes},
                           {"least_width", summary.least_width},
                           {"most_width", summary.most_width},
                           {"least_height", summary.least_height},
                           {"most_height", summary.most_height},
                           {"classes", std::move(classes)},
                           {"problems", std::move(problems)}});
}

void print(const std::vector<CheckedPart>& parts, std::ostream& out) {
  report::Table table({{"part"},
                       {"images", Align::right},
                       {"bad", Align::right},
                       {"classes", Align::right},
                       {"images a class", Align::right},
                       {"width", Align::right},
                       {"height", Align::right},
                       {"size", Align::right}});
  for (const CheckedPart& part : parts) {
    const auto [least, most] = std::minmax_element(part.store->counts().begin(), part.store->counts().end());
    const data::PictureSummary& s = part.summary;
    table.add({part.name, thousands(s.checked), thousands(std::ssize(s.problems)),
               thousands(std::ssize(part.store->class_names())), fmt::format("{} to {}", *least, *most),
               fmt::format("{} to {}", s.least_width, s.most_width),
               fmt::format("{} to {}", s.least_height, s.most_height), report::memory_size(s.bytes)});
  }
  out << table.str();
  for (const CheckedPart& part : parts) {
    const std::vector<std::string>& problems = part.summary.problems;
    for (std::size_t i = 0; i < std::min(kMostShown, problems.size()); ++i) out << problems[i] << "\n";
    if (problems.size() > kMostShown)
      out << "and " << problems.size() - kMostShown << " more; --json lists all\n";
    for (const std::string& note : part.store->notes()) out << part.name << ": " << note << "\n";
  }
}

int run_check(const CommandLine& line, const std::string& source, Session& session) {
  const int threads = line.integer("threads", base::available_processors(), 1, 1024);
  const std::vector<CheckedPart> parts = check(source, threads, line, session);
  std::int64_t bad = 0;
  io::Json list = io::Json::array();
  for (const CheckedPart& part : parts) {
    bad += std::ssize(part.summary.problems);
    list.append(checked_json(part));
  }
  if (line.has("json"))
    session.out << io::Json::object({{"data", source}, {"bad", bad}, {"parts", std::move(list)}}).dump(2);
  else
    print(parts, session.out);
  if (bad == 0) return status(session);
  throw base::InputError(source,
                         fmt::format("{} of its pictures cannot be read; repair or remove them, or train "
                                     "with --max-bad {}",
                                     bad, bad));
}

int run_data(const CommandLine& line, Session& session) {
  const std::string& action = line.arguments[0];
  if (action != "pack" && action != "check")
    throw base::UsageError("unknown action '" + action + "'; there are pack and check" +
                           run::suggestion(action, {"pack", "check"}));
  std::optional<SignalScope> signals;
  if (session.handles_signals) signals.emplace(session.stop);
  return action == "pack" ? run_pack(line, line.arguments[1], session)
                          : run_check(line, line.arguments[1], session);
}

}  // namespace

Command data_command() {
  static constexpr OptionSpec kOptions[] = {
      {"out", "DIRECTORY", "pack: where the shards go; it may not exist yet"},
      {"shard-size", "SIZE", "pack: bytes of a shard, as in 64M [256M]"},
      {"seed", "N", "pack: of the order of pictures in the shards [1]"},
      {"threads", "N", "check: threads that decode [all processors]"},
      {"json", "", "print the result as one JSON object"},
      {"quiet", "", "no progress"},
  };
  return {
      .name = "data",
      .summary = "pack folders of pictures into tar shards, and check that all can be read",
      .arguments = "pack|check PATH",
      .example =
          "  convoy data pack photos --out photos-packed --shard-size 64M\n"
          "  convoy data check shards:photos-packed\n\n"
          "PATH is folder:DIR, shards:DIR, or either without the word before the colon. DIR has a folder\n"
          "for each class, in train/ and val/ or without them. 'check' ends with status 3 where a picture\n"
          "is bad.\n",
      .settings = {},
      .options = kOptions,
      .least_arguments = 2,
      .most_arguments = 2,
      .run = run_data};
}

}  // namespace convoy::app
