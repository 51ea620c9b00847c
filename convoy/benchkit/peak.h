// The machine's own ceiling, to stand beside what is measured on it.
#pragma once

#include "convoy/tune/peak.h"

namespace convoy::benchkit {

using tune::measure_peak;
using tune::Peak;

}  // namespace convoy::benchkit
