#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <ostream>

#include "convoy/app/commands.h"
#include "convoy/app/conv_bench_text.h"
#include "convoy/base/check.h"
#include "convoy/base/clock.h"
#include "convoy/base/error.h"
#include "convoy/base/threads.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"
#include "convoy/plan/candidates.h"
#include "convoy/report/text.h"
#include "convoy/run/nearest.h"
#include "convoy/tune/peak.h"
#include "convoy/tune/probe.h"

namespace convoy::app {
namespace {

using benchkit::ConvProblem;
using kernels::KernelEntry;
using kernels::Pass;

constexpr Pass kDirections[] = {Pass::forward, Pass::backward_data, Pass::backward_weights};
constexpr int kProbes = 3;  // of the peak, beside each case

// What is to be measured and how it is to be shown.
struct Request {
  std::vector<ConvCase> cases;
  benchkit::ConvBenchConfig config;
  std::string svg;
  bool json = false, csv = false, refused = false, interval = false;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string joined(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) text += base::str(text.empty() ? "" : ", ", name);
  return text;
}

std::vector<Pass> directions(const CommandLine& line) {
  const std::string text = line.text("direction", "all");
  if (text == "all") return {std::begin(kDirections), std::end(kDirections)};
  std::vector<Pass> chosen;
  for (const std::string& part : split(text)) {
    const auto found = std::find_if(std::begin(kDirections), std::end(kDirections),
                                    [&](Pass pass) { return kernels::name(pass) == part; });
    if (found == std::end(kDirections))
      throw base::UsageError(
          base::str("--direction must be forward, backward_data, backward_weights or all, not '", part, "'",
                    run::suggestion(part, {"forward", "backward_data", "backward_weights", "all"})));
    chosen.push_back(*found);
  }
  return chosen;
}

std::vector<int> thread_counts(const CommandLine& line) {
  if (!line.has("threads")) return {base::available_processors()};
  std::vector<int> counts;
  for (const std::string& part : split(line.text("threads", ""))) {
    int value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || end != part.data() + part.size() || value < 1 || value > 4096)
      throw base::UsageError(
          base::str("--threads must be whole numbers from 1 to 4096, as in 1,2, not '", part, "'"));
    counts.push_back(value);
  }
  return counts;
}

double seconds(const CommandLine& line) {
  const std::string text = line.text("seconds", "0.06");
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 3600))
    throw base::UsageError(base::str("--seconds must be a number from 0 to 3600, not '", text, "'"));
  return value;
}

// Entries by their names, or by what stands before the colon: "winograd" is all its variants.
std::vector<std::string> algorithms(const CommandLine& line) {
  std::vector<std::string> chosen;
  if (!line.has("algorithm")) return chosen;
  std::vector<std::string_view> known;
  for (const KernelEntry* entry : benchkit::conv_entries()) known.push_back(entry->name);
  for (const std::string& part : split(line.text("algorithm", ""))) {
    const std::size_t before = chosen.size();
    if (std::find(known.begin(), known.end(), part) != known.end()) {
      chosen.push_back(part);
      continue;
    }
    for (const std::string_view name : known)
      if (plan::means(part, name)) chosen.emplace_back(name);
    if (chosen.size() == before)
      throw base::UsageError(base::str("unknown algorithm '", part, "'", run::suggestion(part, known),
                                       "; there are: ", joined(known)));
  }
  return chosen;
}

// The layers of the sets and problems asked for, before directions and threads.
std::vector<ConvCase> layers(const CommandLine& line) {
  std::vector<std::string_view> known;
  for (const benchkit::ConvSet& set : benchkit::conv_sets()) known.push_back(set.name);
  if (!line.has("set") && !line.has("problem"))
    throw base::UsageError(base::str("'convoy bench conv' needs --set NAME (", joined(known),
                                     " or all) or --problem TEXT; see 'convoy bench --help'"));
  std::vector<ConvCase> list;
  const auto add = [&](const benchkit::ConvSet& set) {
    for (const benchkit::ConvLayer& layer : set.layers)
      list.push_back({.set = std::string(set.name),
                      .layer = layer.name,
                      .problem = layer.problem,
                      .multiplicity = layer.multiplicity});
  };
  if (line.has("set")) {
    for (const std::string& name : split(line.text("set", ""))) {
      if (name == "all") {
        for (const benchkit::ConvSet& set : benchkit::conv_sets()) add(set);
        continue;
      }
      const benchkit::ConvSet* set = benchkit::find_conv_set(name);
      if (set == nullptr)
        throw base::UsageError(base::str("unknown layer set '", name, "'", run::suggestion(name, known),
                                         "; there are: ", joined(known), ", all"));
      add(*set);
    }
  }
  if (line.has("problem")) {
    for (const std::string& text : split(line.text("problem", ""))) {
      const auto problem = ConvProblem::parse(text);
      if (!problem) throw base::UsageError(base::str("--problem: ", problem.reason().text));
      list.push_back({.set = "", .layer = "", .problem = *problem});
    }
  }
  return list;
}

// Refuses algorithms that serve none of the cases.
void check_served(const Request& request) {
  for (const std::string& name : request.config.algorithms) {
    const KernelEntry* entry = kernels::find(kernels::catalog(), "Conv", name);
    std::string why;
    for (const ConvCase& which : request.cases) {
      const base::Verdict verdict =
          benchkit::conv_support(*entry, which.problem, which.pass, request.config.training);
      if (verdict) return;
      if (why.empty())
        why = base::str("--algorithm ", name, " cannot serve ", which.problem.str(), " ",
                        kernels::name(which.pass), ": ", verdict.reason().text);
    }
    if (name == request.config.algorithms.back()) throw base::UsageError(why);
  }
}

Request read_request(const CommandLine& line) {
  Request request{.svg = line.text("svg", ""),
                  .json = line.has("json"),
                  .csv = line.has("csv"),
                  .refused = line.has("refused"),
                  .interval = line.has("interval")};
  if (request.json && request.csv) throw base::UsageError("--json and --csv exclude each other");
  request.config.training = !line.has("inference");
  request.config.workspace_limit_bytes =
      line.size_bytes("workspace-limit", std::numeric_limits<std::int64_t>::max());
  request.config.algorithms = algorithms(line);
  request.config.repetitions = line.integer("repetitions", 5, 1, 100'000);
  request.config.seconds = seconds(line);
  // Whoever asks for many repetitions gets them, and whoever asks for none in particular a quick answer.
  const bool is_patient = line.has("repetitions") || line.has("seconds");
  request.config.most_seconds = is_patient ? std::numeric_limits<double>::infinity() : 1;
  // What was asked for by name, and curves of a chart, are measured however slow they are.
  if (!request.config.algorithms.empty() || line.has("svg")) request.config.hopeless = 0;
  for (const int threads : thread_counts(line))
    for (const Pass pass : directions(line))
      for (ConvCase which : layers(line)) {
        which.pass = pass;
        which.threads = threads;
        request.cases.push_back(std::move(which));
      }
  check_served(request);
  if (line.has("svg")) {
    if (const auto verdict = check_chart(request.cases); !verdict)
      throw base::UsageError(base::str("--svg: ", verdict.reason().text));
    io::prepare_output_directory(io::parent_directory(request.svg));
  }
  return request;
}

// "[3/15] vgg16 3_1 forward, ETA 12 s" on stderr: drawn again in place on a terminal, a line each elsewhere.
class ConvProgress {
 public:
  ConvProgress(const std::vector<ConvCase>& cases, Session& session)
      : session_(session), total_(cases.size()) {
    for (const ConvCase& which : cases) flops_left_ += which.problem.flops();
  }
  ~ConvProgress() { clear(); }
  ConvProgress(const ConvProgress&) = delete;
  ConvProgress& operator=(const ConvProgress&) = delete;

  void begin(const ConvCase& which) {
    const double elapsed = clock_->now() - start_;
    ++index_;
    std::string text =
        base::str("[", index_, "/", total_, "] ", which.set, which.set.empty() ? "" : " ",
                  which.set.empty() ? which.problem.str() : which.layer, " ", kernels::name(which.pass), ", ",
                  which.threads, which.threads == 1 ? " thread" : " threads");
    if (flops_done_ > 0) text += base::str(", ETA ", report::duration(elapsed / flops_done_ * flops_left_));
    clear();
    const bool redraws = session_.err_terminal.redraws;
    if (redraws) text = std::string(report::clip(text, session_.err_terminal.width - 1));
    session_.err << text << (redraws ? "" : "\n") << std::flush;
    is_drawn_ = redraws;
    flops_done_ += which.problem.flops();
    flops_left_ -= which.problem.flops();
  }

  void clear() {
    if (is_drawn_) session_.err << "\r\x1b[K" << std::flush;
    is_drawn_ = false;
  }

 private:
  Session& session_;
  std::size_t total_, index_ = 0;
  double flops_left_ = 0, flops_done_ = 0;
  std::unique_ptr<base::Clock> clock_ = base::make_steady_clock();
  double start_ = clock_->now();
  bool is_drawn_ = false;
};

void print(const ConvCaseResult& result, const Request& request, std::ostream& out) {
  if (request.json)
    out << conv_json_lines(result, request.refused);
  else if (request.csv)
    out << conv_csv_lines(result, request.refused);
  else
    out << conv_table(result, request.interval);
  out << std::flush;
}

int run_bench(const CommandLine& line, Session& session) {
  if (line.arguments[0] != "conv")
    throw base::UsageError(base::str("unknown benchmark '", line.arguments[0], "'; there is: conv"));
  Request request = read_request(line);
  std::vector<ConvCaseResult> results;
  ConvProgress progress(request.cases, session);
  if (request.csv) session.out << conv_csv_heading();
  double peak_flops = 0;
  for (const ConvCase& which : request.cases) {
    progress.begin(which);
    if (which.threads != request.config.machine.threads || results.empty()) {
      request.config.threads = which.threads;
      base::set_thread_count(which.threads);
      request.config.machine = tune::probe_machine(which.threads);
      peak_flops = request.config.machine.f32_flops;
    }
    peak_flops = std::max(peak_flops, tune::measure_peak(which.threads, kProbes).best_flops);
    results.push_back({.which = which,
                       .peak_flops = peak_flops,
                       .rows = benchkit::bench_conv(which.problem, which.pass, request.config)});
    progress.clear();
    print(results.back(), request, session.out);
  }
  if (!request.json && !request.csv && results.size() > 3) session.out << conv_summary(results);
  if (!request.svg.empty()) io::write_file_atomically(request.svg, conv_chart(results));
  return 0;
}

// The layer sets, for --help; the table of commands keeps the text.
std::string_view example() {
  static const std::string kText = [] {
    std::string text =
        "  convoy bench conv --problem n32c64h56k64r3s1p1 --direction forward --threads 1,2\n"
        "  convoy bench conv --set kernel-sweep --svg sweep.svg\n\n"
        "A problem: n samples of c channels, h rows and w columns (w = h where it is absent); k filters of\n"
        "r rows and q columns (q = r); s stride, p padding, d dilation, one number or two, as in s2x1: "
        "down,\n"
        "across; p four for top, left, bottom, right; g groups.\n\nlayer sets:\n";
    for (const benchkit::ConvSet& set : benchkit::conv_sets())
      text += base::str("  ", set.name, ": ", set.description, "\n");
    text += "\nalgorithms:\n ";
    for (const KernelEntry* entry : benchkit::conv_entries()) text += base::str(" ", entry->name);
    return text + "\n";
  }();
  return kText;
}

}  // namespace

Command bench_command() {
  static constexpr OptionSpec kOptions[] = {
      {"set", "NAMES", "layers of networks and benchmarks, or all"},
      {"problem", "TEXTS", "convolutions, such as n32c64h56k64r3s1p1"},
      {"direction", "NAMES", "forward, backward_data, backward_weights or all [all]"},
      {"threads", "N,N", "numbers of compute threads [all processors]"},
      {"algorithm", "NAMES", "these alone; 'winograd' is all of its variants [all but reference]"},
      {"repetitions", "N", "samples of each algorithm, at least [5]"},
      {"seconds", "X", "time for each algorithm, at least [0.06]"},
      {"workspace-limit", "BYTES", "refuse algorithms that need more, as in 16M"},
      {"inference", "", "forward without training: filters are transformed once for all calls"},
      {"interval", "", "also show the 95 % interval of the median"},
      {"json", "", "print one JSON object a line for each algorithm and problem"},
      {"csv", "", "print comma-separated values"},
      {"refused", "", "with --json or --csv: also algorithms that were not measured, and why"},
      {"svg", "FILE", "draw time against kernel size, one curve an algorithm"},
  };
  return {.name = "bench",
          .summary = "measure every convolution algorithm on layers of your choice",
          .arguments = "conv",
          .example = example(),
          .settings = {},
          .options = kOptions,
          .least_arguments = 1,
          .most_arguments = 1,
          .run = run_bench};
}

}  // namespace convoy::app
