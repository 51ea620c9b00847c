// How do Convoy's convolution algorithms, chosen a layer, stand beside oneDNN's and PyTorch's?
#include <fmt/core.h>

#include <cstdio>
#include <string>
#include <vector>

#include "bench/conv_algorithms/measure.h"
#include "bench/conv_algorithms/options.h"
#include "bench/conv_algorithms/report.h"
#include "convoy/base/error.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"

namespace {

using namespace convoy;

void answer(const bench::ConvOptions& options) {
  if (options.help) {
    fmt::print("{}", bench::conv_help_text());
    return;
  }
  if (!options.record.empty()) io::prepare_output_directory(io::parent_directory(options.record));
  const bench::ConvResults results = bench::measure_layers(options);
  if (!options.record.empty())
    io::write_file_atomically(options.record, bench::conv_record(results, options).dump(1));
  if (options.json)
    fmt::print("{}", bench::conv_json(results, options).dump(1));
  else
    fmt::print("{}", bench::conv_tables(results, options));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    answer(bench::parse_conv_options({argv + 1, argv + argc}));
    return 0;
  } catch (const base::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
