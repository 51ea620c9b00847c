// Checks the gradient of an objective against differences of its loss.
#pragma once

#include <cstdint>
#include <string>

#include "convoy/optim/objective.h"

namespace convoy::optim {

// What is checked, and how. The arenas are of the layout's type and extent; use float64 where the objective
// can, because differences of float32 losses see only coarse mistakes.
struct GradientCheckConfig {
  tensor::View parameters;  // changed during the check and put back
  tensor::ConstView state;  // empty where the layout has none
  int directions = 3;       // random ones for each segment, and as many through all of them at once
  double step = 0;          // h, relative to a segment's root mean square; 0: the cube root of the precision
  double loss_error_ulps = 256;  // rounding of one loss, in units of the layout's precision
  std::uint64_t seed = 1;
};

// The direction whose derivative fits worst.
struct GradientCheck {
  double worst_ratio = 0;  // |difference quotient - <gradient, direction>| / what rounding and h explain
  std::string worst;       // the segment and both derivatives, for a person
  bool ok() const { return worst_ratio <= 1; }
};

// Compares <∇L, d> with a difference quotient for random directions d, segment by segment, so that a wrong
// bias is not hidden by large weights, and then through all parameters at once.
//   D(h) = (L(w + h d) - L(w - h d)) / 2h, extrapolated: R = (4 D(h/2) - D(h)) / 3
// The tolerance is derived from the run itself: |D(h/2) - D(h)| / 3, the truncation error of D(h/2), which
// bounds that of R, plus the rounding of the losses, (4/3) (2 · loss_error_ulps · u |L|) / h.
// All evaluations use Mode::gradient and one key, so that dropout and batch statistics are the same.
// A NaN anywhere fails. Source: Richardson extrapolation of central differences.
GradientCheck check_gradient(Objective& objective, const tensor::Batch& batch, const base::StepKey& key,
                             const GradientCheckConfig& config);

}  // namespace convoy::optim
