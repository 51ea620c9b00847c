#include "bench/conv_algorithms/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "bench/support/provenance.h"
#include "convoy/report/table.h"
#include "convoy/report/text.h"

namespace convoy::bench {
namespace {

using benchkit::ConvMeasurement;
using report::Align;
using report::Table;

constexpr const char* kNone = "-";

std::string milliseconds(const ConvMeasurement* row) {
  return row == nullptr ? kNone : fmt::format("{:.4g}", row->median_seconds() * 1e3);
}

std::string ratio(double theirs, double ours) { return fmt::format("{:.2f}", theirs / ours); }

bool is_any(std::string_view) { return true; }

std::string bar_table(const std::vector<Bar>& bars) {
  Table table({{"claim"},
               {"of"},
               {"layers", Align::right},
               {"value", Align::right},
               {"95 % interval", Align::right},
               {"bar", Align::right},
               {""},
               {""}});
  std::string last;
  for (const Bar& bar : bars) {
    if (!last.empty() && last != bar.about) table.add_rule();
    const bool is_judged = bar.layers > 0;
    const bool is_barred = bar.limit > 0;
    const std::string limit = fmt::format("{} {:.3g}", bar.at_most ? "<=" : ">=", bar.limit);
    table.add({last == bar.about ? "" : bar.about, bar.what, std::to_string(bar.layers),
               is_judged ? fmt::format("{:.3f}", bar.value) : kNone,
               is_judged ? fmt::format("{:.3f} .. {:.3f}", bar.interval.low, bar.interval.high) : kNone,
               is_barred ? limit : kNone,
               !is_barred    ? ""
               : !is_judged  ? "not measured"
               : bar.holds() ? "holds"
                             : "does not hold",
               bar.note});
    last = bar.about;
  }
  return table.str();
}

std::string layer_table(const ConvResults& results) {
  Table table({{"layer"},
               {"problem"},
               {"ours"},
               {"ms", Align::right},
               {"% of peak", Align::right},
               {"oneDNN"},
               {"ms", Align::right},
               {"ratio", Align::right},
               {"PyTorch ms", Align::right},
               {"ratio", Align::right},
               {"tuner"}});
  for (const LayerResult& r : results.layers) {
    const ConvMeasurement *ours = fastest(r, is_own), *rival = fastest(r, is_rival);
    const double torch = r.torch ? benchkit::median(r.torch->seconds) : 0;
    table.add(
        {r.str(), r.layer.problem.str(), ours == nullptr ? kNone : ours->algorithm, milliseconds(ours),
         ours == nullptr ? kNone : fmt::format("{:.0f}", 100 * ours->flops_per_second() / r.peak_flops),
         rival == nullptr ? kNone : rival->algorithm, milliseconds(rival),
         ours == nullptr || rival == nullptr ? kNone : ratio(rival->median_seconds(), ours->median_seconds()),
         torch > 0 ? fmt::format("{:.4g} {}", torch * 1e3, r.torch->layout) : kNone,
         ours == nullptr || torch == 0 ? kNone : ratio(torch, ours->median_seconds()), r.pick});
  }
  return table.str();
}

// How one algorithm did over all layers.
struct Tally {
  int served = 0, won = 0, tuned = 0;
  double log_of_peak = 0, largest_share_of_bound = 0;
  std::int64_t workspace_bytes = 0;
  std::vector<double> errors, prediction_errors;
  std::vector<double> errors_over_direct;  // 3x3, stride 1
};

std::map<std::string, Tally> tallies(const ConvResults& results) {
  std::map<std::string, Tally> all;
  for (const LayerResult& r : results.layers) {
    const ConvMeasurement* direct =
        fastest(r, [](std::string_view algorithm) { return algorithm == "onednn"; });
    const benchkit::ConvProblem& p = r.layer.problem;
    for (const ConvMeasurement& row : r.rows) {
      if (!row.measured()) continue;
      Tally& tally = all[row.algorithm];
      ++tally.served;
      tally.won += row.winner;
      tally.log_of_peak += std::log(row.flops_per_second() / r.peak_flops);
      tally.largest_share_of_bound = std::max(tally.largest_share_of_bound, row.share_of_bound);
      tally.workspace_bytes = std::max(tally.workspace_bytes, row.workspace_bytes);
      tally.errors.push_back(row.relative_error);
      tally.prediction_errors.push_back(std::abs(row.prediction_error()));
      if (p.r == 3 && p.q == 3 && !p.is_strided() && direct != nullptr && direct->relative_error > 0)
        tally.errors_over_direct.push_back(row.relative_error / direct->relative_error);
    }
    if (!r.pick.empty()) ++all[r.pick].tuned;
  }
  return all;
}

std::string algorithm_table(const ConvResults& results) {
  Table table({{"algorithm"},
               {"layers", Align::right},
               {"won", Align::right},
               {"tuned", Align::right},
               {"% of peak", Align::right},
               {"median error", Align::right},
               {"of its bound, at most", Align::right},
               {"3x3: error / oneDNN's", Align::right},
               {"peak workspace", Align::right},
               {"prediction off by", Align::right}});
  for (const auto& [name, tally] : tallies(results)) {
    if (tally.served == 0) continue;
    table.add({name, std::to_string(tally.served), std::to_string(tally.won), std::to_string(tally.tuned),
               fmt::format("{:.0f}", 100 * std::exp(tally.log_of_peak / tally.served)),
               fmt::format("{:.1e}", benchkit::median(tally.errors)),
               fmt::format("{} %", report::significant(100 * tally.largest_share_of_bound, 2)),
               tally.errors_over_direct.empty()
                   ? kNone
                   : fmt::format("{:.2f}", benchkit::median(tally.errors_over_direct)),
               tally.workspace_bytes == 0 ? kNone : report::memory_size(tally.workspace_bytes),
               report::percent(benchkit::median(tally.prediction_errors), 0)});
  }
  return table.str();
}

std::string choice_table(const ConvResults& results) {
  Table table({{"set"},
               {"direction"},
               {"threads", Align::right},
               {"layers"},
               {"best single one of ours"},
               {"ms", Align::right},
               {"best of each layer, ms", Align::right},
               {"less time", Align::right}});
  for (const Choice& choice : choices(results)) {
    const bool has_single = !choice.single.empty();
    table.add({choice.set, std::string(kernels::name(choice.pass)), std::to_string(choice.threads),
               std::string(name(choice.part)), has_single ? choice.single : "none serves all",
               has_single ? fmt::format("{:.4g}", choice.single_seconds * 1e3) : kNone,
               fmt::format("{:.4g}", choice.best_seconds * 1e3),
               has_single ? report::percent(1 - choice.best_seconds / choice.single_seconds, 1) : kNone});
  }
  return table.str();
}

// Where each direction's fastest algorithm becomes the FFT.
std::string crossover_text(const ConvResults& results) {
  std::map<std::string, std::map<std::int64_t, std::string>> winners;  // by direction, then kernel size
  for (const LayerResult& r : results.layers) {
    const ConvMeasurement* best = fastest(r, is_any);
    if (r.set == "kernel-sweep" && best != nullptr)
      winners[fmt::format("{} T{}", kernels::name(r.pass), r.threads)][r.layer.problem.r] = best->algorithm;
  }
  std::string text;
  for (const auto& [side, by_kernel] : winners) {
    text += fmt::format("Kernel sweep, {}:", side);
    for (const auto& [kernel, algorithm] : by_kernel) text += fmt::format("  {}: {}", kernel, algorithm);
    text += "\n";
  }
  return text.empty() ? "" : text + "\n";
}

io::Json to_json(const std::vector<double>& samples) {
  io::Json list = io::Json::array();
  for (const double sample : samples) list.append(sample);
  return list;
}

io::Json describe(const LayerResult& r) {
  return io::Json::object({{"set", r.set},
                           {"layer", r.layer.name},
                           {"problem", r.layer.problem.str()},
                           {"multiplicity", r.layer.multiplicity},
                           {"direction", kernels::name(r.pass)},
                           {"threads", r.threads},
                           {"peak_flops", r.peak_flops}});
}

io::Json to_json(const LayerResult& r) {
  io::Json rows = io::Json::array();
  for (const ConvMeasurement& row : r.rows) {
    io::Json json = io::Json::object({{"algorithm", row.algorithm}});
    if (row.measured())
      json.set("layout", kernels::name(row.family))
          .set("seconds", row.median_seconds())
          .set("best_seconds", row.best_seconds())
          .set("samples", std::ssize(row.seconds))
          .set("predicted_seconds", row.predicted_seconds)
          .set("error", row.relative_error)
          .set("error_share_of_bound", row.share_of_bound)
          .set("workspace_bytes", row.workspace_bytes);
    else
      json.set("refused", row.refusal);
    rows.append(std::move(json));
  }
  io::Json json = describe(r);
  json.set("algorithms", std::move(rows));
  if (r.torch)
    json.set("pytorch",
             io::Json::object({{"layout", r.torch->layout}, {"seconds", to_json(r.torch->seconds)}}));
  if (!r.pick.empty()) json.set("tuner", r.pick);
  return json;
}

io::Json fastest_json(const LayerResult& r) {
  io::Json json = describe(r);
  const auto add = [&](const char* side, const ConvMeasurement* row) {
    if (row != nullptr)
      json.set(side, io::Json::object({{"algorithm", row->algorithm}, {"seconds", row->median_seconds()}}));
  };
  add("convoy", fastest(r, is_own));
  add("onednn", fastest(r, is_rival));
  if (r.torch) json.set("pytorch_seconds", benchkit::median(r.torch->seconds));
  if (!r.pick.empty()) json.set("tuner", r.pick);
  return json;
}

io::Json to_json(const Bar& bar) {
  io::Json json = io::Json::object({{"claim", bar.about}, {"of", bar.what}, {"layers", bar.layers}});
  if (bar.layers == 0) return json;
  json.set("value", bar.value).set("low", bar.interval.low).set("high", bar.interval.high);
  if (bar.limit > 0) json.set(bar.at_most ? "at_most" : "at_least", bar.limit).set("holds", bar.holds());
  if (!bar.note.empty()) json.set("note", bar.note);
  return json;
}

io::Json with_layers(const ConvResults& results, const ConvOptions& options,
                     io::Json (*layer_json)(const LayerResult&)) {
  io::Json layers = io::Json::array(), bars = io::Json::array();
  for (const LayerResult& layer : results.layers) layers.append(layer_json(layer));
  for (const Bar& bar : judge(results)) bars.append(to_json(bar));
  io::Json json = io::Json::object({{"benchmark", "conv_algorithms"}});
  add_provenance(json, options.threads.back());
  json.set("pytorch_version", results.torch_version)
      .set("repetitions", options.repetitions)
      .set("seconds", options.seconds)
      .set("total_seconds", results.total_seconds)
      .set("bars", std::move(bars))
      .set("layers", std::move(layers));
  return json;
}

}  // namespace

std::string conv_tables(const ConvResults& results, const ConvOptions& options) {
  std::string text;
  if (options.details) text += layer_table(results) + "\n";
  text += algorithm_table(results) + "\n" + choice_table(results) + "\n" + crossover_text(results);
  text += bar_table(judge(results)) + "\n";
  text += fmt::format(
      "Ratios above 1: ours takes less time. Medians of at least {} interleaved samples of one call; a bar "
      "holds when\nthe worse end of the bootstrap's interval does. Geometric means over layers; totals count "
      "a layer as often as\nits network has it. First layers, of at most three channels, have no "
      "backward_data. Measured in {}.\n",
      options.repetitions, report::duration(results.total_seconds));
  if (options.repetitions < 15) text += "Fewer than 15 repetitions: no claim rests on this run.\n";
  return text;
}

io::Json conv_json(const ConvResults& results, const ConvOptions& options) {
  return with_layers(results, options, to_json);
}

io::Json conv_record(const ConvResults& results, const ConvOptions& options) {
  return with_layers(results, options, fastest_json);
}

}  // namespace convoy::bench
