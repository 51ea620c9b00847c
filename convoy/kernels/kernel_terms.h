// Test data, what the float64 reference makes of them, and the sums of absolute terms that rounding errors
// are measured against. For tests only.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/kernels/kernel_tester.h"

namespace convoy::kernels {

// The arrays of one problem in float64 and plain layout; labels are their class indices.
struct TestValues {
  std::vector<std::vector<double>> inputs, params, outputs, next_state, output_gradients, input_gradients,
      param_gradients;
};

// Inputs, parameters and output gradients, each a float32, and a bf16 where the problem is one of these.
TestValues draw(const Problem& problem, TestData data, std::uint64_t seed);

// Fills outputs, and what the problem's pass writes, by the layer kind's own definition.
void evaluate_reference(const Problem& problem, const graph::EvalContext& context, TestValues& values);

// For each element that the pass writes, the sum of absolute terms (docs/numerics.md): for operators that
// are linear or bilinear the reference on absolute values; else a bound from the operator's formula.
// `whole_maps`: what ErrorTerms says; requires a Conv.
TestValues absolute_terms(const Problem& problem, const graph::EvalContext& context, const TestValues& values,
                          ErrorTerms which = ErrorTerms::own);

}  // namespace convoy::kernels
