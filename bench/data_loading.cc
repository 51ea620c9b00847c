// How many images a second does the loader give on one core, and what does training from it cost?
#include <fmt/core.h>

#include <cstdio>
#include <string>

#include "bench/data_loading/measure.h"
#include "bench/data_loading/options.h"
#include "bench/support/provenance.h"
#include "convoy/base/error.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"
#include "convoy/report/table.h"

namespace {

using namespace convoy;
using bench::Rates;

constexpr double kTrainingBar = 0.92;

std::string rate(double images_per_second) { return fmt::format("{:.1f}", images_per_second); }

void add_row(const std::string& what, const Rates& rates, report::Table& table) {
  const benchkit::Interval interval = rates.interval();
  table.add({what, rate(benchkit::median(rates.first)), rate(benchkit::median(rates.second)),
             fmt::format("{:.3f}", rates.ratio()),
             fmt::format("{:.3f} .. {:.3f}", interval.low, interval.high)});
}

std::string text(const bench::LoadingResult& result, const bench::LoadingOptions& options) {
  using report::Align;
  report::Table table({{""},
                       {"A img/s", Align::right},
                       {"B img/s", Align::right},
                       {"A / B", Align::right},
                       {"95 % interval", Align::right}});
  add_row("A: the loader, one core; B: TurboJPEG alone, whole pictures", result.loading, table);
  if (result.training)
    add_row("A: training from the data; B: from a synthetic batch", *result.training, table);
  std::string out = table.str();
  if (result.training)
    out += fmt::format("waiting for data: {:.1f} % of training from it; bar: >= {:.2f} of B's speed, {}\n",
                       100 * result.wait_share, kTrainingBar,
                       result.training->interval().low >= kTrainingBar ? "holds" : "does not hold");
  return out +
         fmt::format("{}: {} pictures, {} of {} a side, batch {}; {} interleaved repetitions of {} images.\n",
                     options.data, result.set_size, options.augment, options.image_size, options.batch,
                     options.repetitions, options.images);
}

io::Json rates_json(const Rates& rates) {
  io::Json first = io::Json::array(), second = io::Json::array();
  for (const double value : rates.first) first.append(value);
  for (const double value : rates.second) second.append(value);
  const benchkit::Interval interval = rates.interval();
  return io::Json::object({{"first_median", benchkit::median(rates.first)},
                           {"second_median", benchkit::median(rates.second)},
                           {"ratio", rates.ratio()},
                           {"ratio_low", interval.low},
                           {"ratio_high", interval.high},
                           {"first", std::move(first)},
                           {"second", std::move(second)}});
}

io::Json json(const bench::LoadingResult& result, const bench::LoadingOptions& options) {
  io::Json object = io::Json::object({{"benchmark", "data_loading"}});
  bench::add_provenance(object, options.threads);
  object.set("data", options.data).set("pictures", result.set_size).set("augment", options.augment);
  object.set("image_size", options.image_size).set("batch", options.batch);
  object.set("loader_and_bare_decoder", rates_json(result.loading));
  if (result.training)
    object.set("model", options.model)
        .set("data_and_synthetic", rates_json(*result.training))
        .set("wait_share", result.wait_share);
  return object;
}

void answer(const bench::LoadingOptions& options) {
  if (options.help) {
    fmt::print("{}", bench::loading_help());
    return;
  }
  if (!options.record.empty()) io::prepare_output_directory(io::parent_directory(options.record));
  const bench::LoadingResult result = bench::measure_loading(options);
  const io::Json object = json(result, options);
  fmt::print("{}", options.json ? object.dump(2) : text(result, options));
  if (!options.record.empty()) io::write_file_atomically(options.record, object.dump(2));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    answer(bench::parse_loading_options({argv + 1, argv + argc}));
    return 0;
  } catch (const base::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
