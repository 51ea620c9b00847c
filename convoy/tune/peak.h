// The machine's own ceiling, to stand beside what is measured on it.
#pragma once

#include <string>

namespace convoy::tune {

struct Peak {
  double median_flops = 0;  // per second, all threads together
  double best_flops = 0;
  std::string isa;  // the instruction set that ran: "AVX3_ZEN4"
};

// Measures how many float32 operations `threads` threads of the compute team do a second where nothing but
// the arithmetic limits them: 12 independent chains of fused multiply-adds in registers, in the widest
// vectors of the processor. A multiply-add counts as two operations. `probes` >= 1 windows of a few
// milliseconds each, after one that wakes the team. Blocks.
Peak measure_peak(int threads, int probes = 15);

}  // namespace convoy::tune
