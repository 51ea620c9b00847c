// How fast does Convoy train beside a tuned PyTorch, and where does its time go?
#include <fmt/core.h>

#include <cstdio>
#include <string>
#include <vector>

#include "bench/train_throughput/measure.h"
#include "bench/train_throughput/options.h"
#include "bench/train_throughput/report.h"
#include "convoy/base/error.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"

namespace {

using namespace convoy;

void answer(const bench::Options& options) {
  if (options.help) {
    fmt::print("{}", bench::help_text());
    return;
  }
  if (options.memory_only) {
    fmt::print("{{\"peak_memory_bytes\": {}}}\n", bench::memory_of_case(options.chosen[0], options));
    return;
  }
  if (!options.record.empty()) io::prepare_output_directory(io::parent_directory(options.record));
  std::vector<bench::CaseResult> results;
  for (const bench::Case& which : options.chosen) {
    fmt::print(stderr, "{} ...\n", which.name);
    results.push_back(bench::measure_case(which, options));
  }
  const io::Json json = bench::to_json(results, options);
  if (options.json) {
    fmt::print("{}", json.dump(2));
  } else {
    fmt::print("{}", bench::tables(results, options));
  }
  if (!options.record.empty()) io::write_file_atomically(options.record, json.dump(2));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    answer(bench::parse_options({argv + 1, argv + argc}));
    return 0;
  } catch (const base::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
