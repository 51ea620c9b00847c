// What `convoy bench conv` measured, as tables, lines and charts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "convoy/benchkit/conv_bench.h"
#include "convoy/benchkit/conv_layers.h"

namespace convoy::app {

// One layer in one direction with one number of threads.
struct ConvCase {
  std::string set;    // empty for a problem of the command line
  std::string layer;  // likewise
  benchkit::ConvProblem problem;
  int multiplicity = 1;
  kernels::Pass pass = kernels::Pass::forward;
  int threads = 1;
};

struct ConvCaseResult {
  ConvCase which;
  double peak_flops = 0;
  std::vector<benchkit::ConvMeasurement> rows;
};

// A heading and a table of the algorithms, the winner marked, and below it those that were not measured.
// `interval`: with the bootstrap's 95 % interval of the median.
std::string conv_table(const ConvCaseResult& result, bool interval);

// For each direction and number of threads: what each algorithm serves and wins, what a choice per layer
// gains over the best single one, and how good the predictions were.
std::string conv_summary(const std::vector<ConvCaseResult>& results);

// One JSON object a line for each algorithm that was measured; with `refused` also for the others.
std::string conv_json_lines(const ConvCaseResult& result, bool refused);

// The same as comma-separated values; conv_csv_heading() names them.
std::string_view conv_csv_heading();
std::string conv_csv_lines(const ConvCaseResult& result, bool refused);

// Whether conv_chart can show these cases: it refuses problems that do not differ in their kernel alone.
base::Verdict check_chart(const std::vector<ConvCase>& cases);

// Time against kernel size, one curve an algorithm, one panel a direction and number of threads, after
// Vasilache et al. 2015, as an SVG file. Requires check_chart().
std::string conv_chart(const std::vector<ConvCaseResult>& results);

}  // namespace convoy::app
