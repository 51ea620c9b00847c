// The results as tables and as JSON.
#pragma once

#include <string>
#include <vector>

#include "bench/train_throughput/measure.h"
#include "convoy/io/json.h"

namespace convoy::bench {

std::string tables(const std::vector<CaseResult>& results, const Options& options);

// With commit and machine, so that a recorded result says what it is of.
io::Json to_json(const std::vector<CaseResult>& results, const Options& options);

}  // namespace convoy::bench
