// The catalog's entries: one function a file.
#pragma once

#include "convoy/optim/update_rule.h"

namespace convoy::optim {

// w <- w - η g'. g' = g + λ w here and below.
UpdateRuleKind sgd_kind();
// v <- μ v + g'; w <- w - η v.
UpdateRuleKind momentum_kind();
// v <- μ v + g'; w <- w - η (g' + μ v).
UpdateRuleKind nesterov_kind();
// s <- s + g'²; w <- w - η g' / (√s + ε). Source: Duchi et al., JMLR 12 (2011).
UpdateRuleKind adagrad_kind();
// s <- α s + (1 - α) g'²; w <- w - η g' / (√s + ε). Source: Tieleman and Hinton, lecture 6.5 (2012).
UpdateRuleKind rmsprop_kind();
// m <- β₁ m + (1 - β₁) g'; s <- β₂ s + (1 - β₂) g'²; w <- w - η m̂ / (√ŝ + ε) with m̂ = m / (1 - β₁^t),
// ŝ = s / (1 - β₂^t), t from 1. Source: Kingma and Ba, Adam (ICLR 2015), algorithm 1.
UpdateRuleKind adam_kind();

}  // namespace convoy::optim
