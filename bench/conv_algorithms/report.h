// The results as tables and as JSON.
#pragma once

#include <string>

#include "bench/conv_algorithms/bars.h"
#include "convoy/io/json.h"

namespace convoy::bench {

std::string conv_tables(const ConvResults& results, const ConvOptions& options);

// With commit and machine, so that a recorded result says what it is of.
io::Json conv_json(const ConvResults& results, const ConvOptions& options);

// The same with less of a layer: the fastest algorithm of each side alone.
io::Json conv_record(const ConvResults& results, const ConvOptions& options);

}  // namespace convoy::bench
