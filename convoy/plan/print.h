// A Program as text, for people and golden files.
#pragma once

#include <string>

#include "convoy/plan/program.h"

namespace convoy::plan {

// One line a step ("12 compute conv1 forward onednn/blocked in=… out=…"), then one a slot (region, shape,
// layout, offset, bytes, lifetime), then totals. Equal Programs have equal texts. With `implementations`,
// also what the kernels call themselves, which depends on the machine.
std::string print(const Program& program, bool implementations);

}  // namespace convoy::plan
