// Predicted seconds of a kernel from counted work, and the growth of rounding errors in sums.
#pragma once

#include "convoy/kernels/kernel.h"

namespace convoy::kernels {

// Bytes that one call of the problem moves at least: each array it reads or writes, once, unpadded.
std::int64_t moved_bytes(const Problem& problem);

// Floating-point operations of the problem's pass, from the layer kind's work.
double pass_flops(const Problem& problem);

// Roofline: dispatch + max(flops / (efficiency * peak), bytes / bandwidth), where the bandwidth is the
// cache's while everything fits into it. `efficiency` is the share of peak that the algorithm was measured
// to reach where memory does not limit it.
double roofline_seconds(const Problem& problem, const machine::Machine& machine, double efficiency);

// Bound on the rounding error of a sum of `terms` products in any order, with or without fused
// multiply-add, in units of epsilon times the sum of absolute terms: (terms + 1) / 2. docs/numerics.md.
double sum_error_growth(double terms);

// The same for a convolution that adds up the products of its definition, and the bias: C/G R S + 1 terms
// forward, K/G R S backward_data, N P Q backward_weights.
double convolution_error_growth(const Problem& problem);

}  // namespace convoy::kernels
