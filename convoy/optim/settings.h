// Ranges of hyper-parameters, refused with their value.
#pragma once

#include <string_view>

#include "convoy/base/result.h"

namespace convoy::optim {

// 0 <= value < 1: momenta and decays.
base::Verdict check_fraction(std::string_view name, double value);
// 0 <= value, finite.
base::Verdict check_not_negative(std::string_view name, double value);
// 0 (the rule's own) or a positive, normal float32: with ε = 0 an element whose gradient was always zero
// would become 0 / 0.
base::Verdict check_epsilon(double value);
// The ε in force: `value`, or the rule's own where it is 0.
inline double epsilon_or(double value, double own) { return value == 0 ? own : value; }

}  // namespace convoy::optim
