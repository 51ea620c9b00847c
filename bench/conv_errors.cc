// How exact is each algorithm of convolution? Its errors against float64, and as multiples of the direct
// convolution's: the order of the literature. tests/conv_errors_test.cc asserts it.
#include <cstdio>

#include <fmt/format.h>

#include "bench/conv_errors/errors.h"
#include "convoy/report/table.h"

namespace {

using convoy::bench::LayerError;
using convoy::kernels::Pass;
using convoy::report::Align;

std::string cell(const LayerError& row, const LayerError& direct) {
  return fmt::format("{:.1e} {:.1e} ({:4.1f}x)", row.largest, row.rms, row.rms / direct.rms);
}

void print(Pass pass) {
  std::vector<convoy::report::Table::Column> columns{{std::string(convoy::kernels::name(pass)), Align::left}};
  for (const std::string& name : convoy::bench::kErrorAlgorithms) columns.push_back({name, Align::right});
  convoy::report::Table table(columns);
  for (const std::string& layer : convoy::bench::kErrorLayers) {
    const std::vector<LayerError> errors = convoy::bench::layer_errors(layer, pass);
    std::vector<std::string> cells{layer};
    for (const std::string& name : convoy::bench::kErrorAlgorithms) {
      cells.push_back("-");
      for (const LayerError& row : errors)
        if (row.algorithm == name) cells.back() = cell(row, errors.front());
    }
    table.add(cells);
  }
  fmt::print("{}\n", table.str());
}

}  // namespace

int main() {
  fmt::print("Largest and root mean square error, relative to the result's (rms against direct's)\n\n");
  for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights}) print(pass);
  return 0;
}
