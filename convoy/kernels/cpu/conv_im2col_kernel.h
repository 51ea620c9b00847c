// What both entries of this algorithm share: the kernel, its layouts, and its price.
#pragma once

#include <memory>

#include "convoy/kernels/kernel.h"

namespace convoy::kernels::cpu {

// Refuses other families than blocked, and what ConvGeometry refuses; nothing else.
base::Verdict supports_im2col(const Problem& problem);

// `is_explicit`: the column matrix of whole images is materialised in the workspace; else only what a
// thread's second cache holds.
std::unique_ptr<Kernel> make_im2col(const Problem& problem, bool is_explicit);
double im2col_seconds(const Problem& problem, const machine::Machine& machine, bool is_explicit);

}  // namespace convoy::kernels::cpu
