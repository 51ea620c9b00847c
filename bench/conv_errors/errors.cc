#include "bench/conv_errors/errors.h"

#include "convoy/benchkit/conv_bench.h"

namespace convoy::bench {

std::vector<LayerError> layer_errors(const std::string& layer, kernels::Pass pass) {
  const benchkit::ConvProblem problem = benchkit::ConvProblem::parse(layer).value();
  std::vector<std::string> algorithms;
  for (const kernels::KernelEntry* entry : benchkit::conv_entries())
    for (const std::string& name : kErrorAlgorithms)
      if (name == entry->name) algorithms.push_back(name);
  benchkit::ConvBenchConfig config;
  config.algorithms = algorithms;
  // Only what the first call writes counts.
  config.repetitions = 1;
  config.seconds = config.most_seconds = config.hopeless = 0;
  const auto rows = benchkit::bench_conv(problem, pass, config);
  std::vector<LayerError> errors;
  for (const std::string& name : kErrorAlgorithms)
    for (const benchkit::ConvMeasurement& row : rows)
      if (row.algorithm == name && row.measured())
        errors.push_back({name, row.relative_error, row.rms_error, row.share_of_bound});
  return errors;
}

}  // namespace convoy::bench
