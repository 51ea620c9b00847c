// The name under which a problem's timings are kept.
#pragma once

#include <string>

#include "convoy/kernels/kernel.h"

namespace convoy::tune {

// Problem::str() of what decides the time: without epilogue, initialisers and bias value, and with a window's
// defaults and padding rules worked out, so that equal computations have equal texts whoever poses them.
std::string problem_text(const kernels::Problem& problem);

}  // namespace convoy::tune
