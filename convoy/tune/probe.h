// Fills machine::Machine by measurement.
#pragma once

#include "convoy/machine/machine.h"

namespace convoy::tune {

// Measures peak, bandwidths, the reach of the cache and the cost of starting a team of `threads`; the rest
// is as describe_machine() says. `source` is "measured". Blocks for about 0.2 s and needs
// 128 MiB, and 8 more a thread, for that time.
// On a busy machine the figures are lower than the machine's own.
machine::Machine probe_machine(int threads);

}  // namespace convoy::tune
