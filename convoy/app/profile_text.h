// Profiles of training as a table, as JSON and as a trace file.
#pragma once

#include <string>

#include "convoy/io/json.h"
#include "convoy/run/profiling.h"
#include "convoy/run/training.h"

namespace convoy::app {

// The table: layers by direction, the longest first, and what remains; then their sum and its share of the
// step. Beyond `most_rows` layers, the rest is one row. One line where the run ended before the window.
std::string profile_text(const run::ProfileReport& profile, int most_rows = 60);

// Every row: [{"layer", "direction", "kernel", "seconds", "share", "gflops_per_second", "peak_share",
// "bytes"}, …], numbers a step; null where there is no such thing.
io::Json profile_rows_json(const run::ProfileReport& profile);
// What the rows are of: window, seconds a step, explained share, peak.
io::Json profile_summary_json(const run::ProfileReport& profile);

// Writes RUN/trace/step-000000011.json, named after the window's first step, and returns its path; empty
// where there is no window. Throws FileError.
std::string write_profile_trace(const run::Prelude& prelude, const run::ProfileReport& profile);

}  // namespace convoy::app
