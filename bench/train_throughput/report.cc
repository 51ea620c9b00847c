#include "bench/train_throughput/report.h"

#include <fmt/core.h>

#include "bench/support/provenance.h"
#include "convoy/benchkit/peak.h"
#include "convoy/report/table.h"
#include "convoy/report/text.h"

namespace convoy::bench {
namespace {

using report::Align;
using report::Table;

constexpr const char* kNone = "-";

std::string rate(double images_per_second) {
  return report::thousands(static_cast<std::int64_t>(images_per_second + 0.5));
}

std::string share(double value) { return report::percent(value, 1); }

std::string verdict(bool holds) { return holds ? "holds" : "does not hold"; }

std::string speed_table(const std::vector<CaseResult>& results) {
  Table table({{"case"},
               {"Convoy img/s", Align::right},
               {"best", Align::right},
               {"PyTorch img/s", Align::right},
               {"best", Align::right},
               {"ratio", Align::right},
               {"95 % interval", Align::right},
               {"bar", Align::right},
               {"aim", Align::right},
               {""}});
  for (const CaseResult& r : results) {
    const benchkit::Interval interval = r.ratio_interval();
    const bool barred = r.peer && r.which.bar > 0;
    table.add({std::string(r.which.name), rate(r.convoy.median()), rate(r.convoy.best),
               r.peer ? rate(r.peer->median()) : kNone, r.peer ? rate(r.peer->best) : kNone,
               r.peer ? fmt::format("{:.2f}", r.ratio()) : kNone,
               r.peer ? fmt::format("{:.2f} .. {:.2f}", interval.low, interval.high) : kNone,
               r.which.bar > 0 ? fmt::format(">= {:.2f}", r.which.bar) : kNone,
               fmt::format("{:.1f}", r.which.aim), barred ? verdict(r.holds()) : ""});
  }
  return table.str();
}

std::string share_table(const std::vector<CaseResult>& results) {
  Table table({{"case"},
               {"Convoy's plan"},
               {"PyTorch in"},
               {"% of FMA peak", Align::right},
               {"kernels", Align::right},
               {"convert", Align::right},
               {"update", Align::right},
               {"data", Align::right},
               {"interpreter", Align::right}});
  for (const CaseResult& r : results)
    table.add({std::string(r.which.name), r.convoy.settings, r.peer ? r.peer->settings : kNone,
               share(r.peak_share()), share(r.shares.kernels), share(r.shares.convert),
               share(r.shares.update), share(r.shares.data), share(r.shares.interpreter)});
  return table.str();
}

std::string memory_table(const std::vector<CaseResult>& results) {
  Table table({{"case"},
               {"Convoy peak memory", Align::right},
               {"PyTorch peak memory", Align::right},
               {"share", Align::right},
               {"bar", Align::right},
               {""}});
  for (const CaseResult& r : results)
    table.add({std::string(r.which.name), report::memory_size(r.convoy.peak_memory_bytes),
               r.peer ? report::memory_size(r.peer->peak_memory_bytes) : kNone,
               r.peer ? share(r.memory_share()) : kNone, fmt::format("<= {:.0f} %", 100 * r.which.memory_bar),
               r.peer ? verdict(r.fits_memory()) : ""});
  return table.str();
}

io::Json to_json(const Side& side) {
  io::Json samples = io::Json::array();
  for (const double sample : side.samples) samples.append(sample);
  const benchkit::Interval interval = benchkit::bootstrap_median(side.samples);
  return io::Json::object({{"median", side.median()},
                           {"median_low", interval.low},
                           {"median_high", interval.high},
                           {"best", side.best},
                           {"settings", side.settings},
                           {"peak_memory_bytes", side.peak_memory_bytes},
                           {"images_per_second", std::move(samples)}});
}

io::Json to_json(const CaseResult& r) {
  io::Json json = io::Json::object({{"case", r.which.name},
                                    {"model", r.which.model},
                                    {"batch", r.which.batch},
                                    {"precision", r.which.bf16 ? "bf16" : "float32"},
                                    {"convoy", to_json(r.convoy)},
                                    {"plan", r.plan},
                                    {"flops_per_image", r.flops_per_image},
                                    {"peak_flops", r.peak_flops},
                                    {"peak_share", r.peak_share()}});
  json.set("time_shares", io::Json::object({{"kernels", r.shares.kernels},
                                            {"convert", r.shares.convert},
                                            {"update", r.shares.update},
                                            {"data", r.shares.data},
                                            {"interpreter", r.shares.interpreter}}));
  if (!r.peer) return json;
  const benchkit::Interval interval = r.ratio_interval();
  json.set("pytorch", to_json(*r.peer)).set("pytorch_version", r.peer_version);
  json.set("ratio", r.ratio()).set("ratio_low", interval.low).set("ratio_high", interval.high);
  if (r.which.bar > 0) json.set("bar", r.which.bar).set("holds", r.holds());
  json.set("memory_share", r.memory_share()).set("memory_holds", r.fits_memory());
  return json;
}

}  // namespace

std::string tables(const std::vector<CaseResult>& results, const Options& options) {
  std::string text = speed_table(results) + "\n" + share_table(results) + "\n" + memory_table(results) + "\n";
  text += fmt::format(
      "Whole training steps, at most {} threads a side; {} interleaved repetitions of {} s a side. "
      "A\n"
      "repetition's sample is batch / median step; a bar holds when the lower end of the interval does. Both "
      "sides\n"
      "decay weights and biases. Shares of time are of a separate, clocked pass. Peak memory is that of a "
      "fresh\n"
      "process a case. Float32, but bf16 where a case says so: PyTorch under its autocast.\n",
      options.threads, options.repetitions, options.seconds);
  if (options.repetitions < 15) text += "Fewer than 15 repetitions: no claim rests on this run.\n";
  return text;
}

io::Json to_json(const std::vector<CaseResult>& results, const Options& options) {
  const benchkit::Peak peak = benchkit::measure_peak(options.threads);
  io::Json list = io::Json::array();
  for (const CaseResult& result : results) list.append(to_json(result));
  io::Json json = io::Json::object({{"benchmark", "train_throughput"}});
  add_provenance(json, options.threads);
  json.set("peak_flops", peak.median_flops).set("peak_isa", peak.isa);
  json.set("threads", options.threads).set("seconds", options.seconds);
  json.set("repetitions", options.repetitions).set("cases", std::move(list));
  return json;
}

}  // namespace convoy::bench
