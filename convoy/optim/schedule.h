// Learning rates over time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "convoy/base/result.h"

namespace convoy::optim {

// η(t) for update step t, 0 <= t < total_steps. Plain data.
struct Schedule {
  enum class Rule : std::uint8_t { constant, step, exponential, polynomial, cosine };
  Rule rule = Rule::constant;
  double base_rate = 0.01;
  double factor = 0.1;            // step: η is multiplied by it every period; exponential: over total_steps
  std::int64_t period_steps = 0;  // step
  double power = 1;               // polynomial
  double final_rate = 0;          // polynomial, cosine
  std::int64_t warmup_steps = 0;  // linear from base_rate / warmup_steps up to base_rate
  std::int64_t total_steps = 1;

  // The rate of step t. Linear warm-up for t < warmup_steps, then the rule over the remaining steps.
  double rate(std::int64_t t) const;

  // "constant", "step:FACTOR@N[epochs|steps]", "exponential:FACTOR", "polynomial:POWER[,FINAL]" or
  // "cosine[:FINAL]", each with "+warmup:N[epochs|steps]" where wanted. A bare N is steps; a fraction of an
  // epoch is rounded to whole steps, and at least one. Leaves base_rate and total_steps to the caller.
  // Refuses anything else, naming the part at fault.
  static base::Result<Schedule> parse(std::string_view text, std::int64_t steps_per_epoch);
  // The text that parse reads back as this schedule, with durations in steps.
  std::string str() const;
};

}  // namespace convoy::optim
