#include "convoy/optim/settings.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>

namespace convoy::optim {

base::Verdict check_fraction(std::string_view name, double value) {
  if (value >= 0 && static_cast<float>(value) < 1) return {};
  return base::Reason{fmt::format("{} = {} is out of range: 0 <= {} < 1", name, value, name)};
}

base::Verdict check_not_negative(std::string_view name, double value) {
  if (value >= 0 && value <= std::numeric_limits<float>::max()) return {};
  return base::Reason{fmt::format("{} = {} is out of range: it must be finite and at least 0", name, value)};
}

base::Verdict check_epsilon(double value) {
  if (value == 0) return {};
  if (value >= std::numeric_limits<float>::min() && value <= std::numeric_limits<float>::max()) return {};
  return base::Reason{
      fmt::format("epsilon = {} is out of range: it must be positive, at least 1.2e-38", value)};
}

}  // namespace convoy::optim
