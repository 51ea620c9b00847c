// Float64 with a running error bound: what a float32 computation of the same formula may return.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "convoy/optim/update_rule.h"

namespace convoy::optim {

// The exact value of an expression over float32 inputs, and a bound on the error of its float32 evaluation,
// in whatever of the usual ways it is fused: each operation adds half a unit in the last place of its result
// (u = 2^-24) and one subnormal step to what its operands bring along.
// Source: Higham, Accuracy and Stability of Numerical Algorithms, section 3.3 (running error analysis).
struct Bounded {
  double value = 0;
  double error = 0;
};

inline constexpr double kUnitRoundoff = 0x1p-24;
inline constexpr double kSmallestStep = 0x1p-149;

inline Bounded rounded(double value, double error) {
  return {value, error + kUnitRoundoff * (std::abs(value) + error) + kSmallestStep};
}
// A setting (learning rate, β …): float64 rounded once to float32.
inline Bounded setting(double value) { return rounded(value, 0); }

inline Bounded operator+(Bounded a, Bounded b) { return rounded(a.value + b.value, a.error + b.error); }
inline Bounded operator-(Bounded a, Bounded b) { return rounded(a.value - b.value, a.error + b.error); }
inline Bounded operator*(Bounded a, Bounded b) {
  return rounded(a.value * b.value,
                 std::abs(a.value) * b.error + std::abs(b.value) * a.error + a.error * b.error);
}
// Infinite error where the divisor may be zero.
inline Bounded operator/(Bounded a, Bounded b) {
  const double least = std::abs(b.value) - b.error;
  if (least <= 0) return {a.value / b.value, INFINITY};
  const double quotient = a.value / b.value;
  return rounded(quotient, (a.error + std::abs(quotient) * b.error) / least);
}
inline Bounded sqrt(Bounded a) {
  const double root = std::sqrt(a.value);
  const double least = std::sqrt(std::fmax(a.value - a.error, 0));
  return rounded(root, a.error == 0 ? 0 : a.error / (root + least));
}

// One element before an update, replaced by what it must be afterwards.
struct ReferenceElement {
  Bounded weight;
  Bounded gradient;
  std::array<Bounded, kMaxSlots> slots;
  double learning_rate = 0;
  double weight_decay = 0;
  std::int64_t step = 0;

  // g + λ w.
  Bounded decayed_gradient() const { return gradient + setting(weight_decay) * weight; }
};

}  // namespace convoy::optim
