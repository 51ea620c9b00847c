// Proof that a Program is free of races, deadlocks and uses of memory that holds something else.
#pragma once

#include "convoy/base/result.h"
#include "convoy/plan/program.h"

namespace convoy::plan {

// Checks, without running anything:
//  - every index is in range, every slot lies in its arena, aligned, and is large enough for its layout;
//  - tokens are signalled once and the order (queues and tokens) has no cycle;
//  - two steps that touch overlapping memory, one of them writing, are ordered;
//  - every read finds what was written to that very slot, whole and not overwritten since; parameters are
//    acquired before they are read; a step's own operands overlap only where its kernel works in place;
//  - each parameter's gradient is announced exactly once, after its last write and after the last read of
//    the parameter; in other modes never;
//  - loss and output are written.
// The first violation is the reason: step, slot, and what is wrong.
base::Verdict verify(const Program& program);

}  // namespace convoy::plan
