// Timelines as Chrome trace JSON, which Perfetto (ui.perfetto.dev) and chrome://tracing open.
#pragma once

#include <string>

#include "convoy/base/trace.h"
#include "convoy/io/json.h"

namespace convoy::report {

struct TraceHead {
  std::string process;  // its name, "convoy train lenet5"
  int rank = 0;         // the process's number
  io::Json about = {};  // an object of what is worth knowing: model, batch, threads; or null
};

// Writes the file as a whole, in one step, after making its directory: an object with `traceEvents`, a name
// for the process and for each track, then the spans as complete events ("ph": "X") by track and begin, an
// enclosing span before those within it. Microseconds count from the earliest begin. Memory does not grow
// with the number of spans beyond their own. Throws FileError, with nothing left behind.
// Source: Trace Event Format, Google, sections "Complete Events" and "Metadata Events".
void write_chrome_trace(const std::string& path, const base::Timeline& timeline, const TraceHead& head);

}  // namespace convoy::report
