// What a recorded result is of.
#pragma once

#include "convoy/io/json.h"

namespace convoy::bench {

// Adds "commit", "uncommitted_changes" and "machine" (with a team of `threads`) to the object of a recorded
// run.
void add_provenance(io::Json& json, int threads);

}  // namespace convoy::bench
