// report.html of a run, from what its directory holds.
#pragma once

#include <string>

#include "convoy/report/html.h"
#include "convoy/run/config.h"
#include "convoy/run/training.h"

namespace convoy::app {

// The curves of metrics.jsonl (from the run's first step, whoever trained it), the result, the settings with
// their origins and env.json. Throws InputError where a file of the run directory cannot be read.
report::Page describe_run(const run::Prelude& prelude, const run::TrainResult& result,
                          const run::ResolvedConfig& resolved);

// Writes DIR/report.html and returns its path. Throws FileError.
std::string write_run_report(const run::Prelude& prelude, const run::TrainResult& result,
                             const run::ResolvedConfig& resolved);

}  // namespace convoy::app
