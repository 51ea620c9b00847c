// The parts of verify(), each a proof of its own. Every later one relies on those before it.
#pragma once

#include <string>

#include "convoy/base/result.h"
#include "convoy/plan/order.h"
#include "convoy/plan/program.h"

namespace convoy::plan {

// "step 12 (compute conv1 forward)" and "slot 5 'conv1'", as every reason names them.
std::string describe_step(const Program& program, int step);
std::string describe_slot(const Program& program, int slot);

// Indices, sizes, alignment, layouts; every operand is what its step's kind, or its kernel, asks for.
base::Verdict check_slots(const Program& program);
base::Verdict check_steps(const Program& program);

// No step's operands lie over each other but where its kernel works in place; steps that touch overlapping
// memory, one of them writing, are ordered.
base::Verdict check_aliasing(const Program& program);
base::Verdict check_races(const Program& program, const Order& order);

// Every read finds what was written to that very slot, whole; so do loss and output at the end.
base::Verdict check_values(const Program& program, const Order& order);

// Acquire once a segment and phase; Ready once a parameter, behind all that touches it; state written once.
base::Verdict check_segments(const Program& program, const Order& order);

}  // namespace convoy::plan
