#include "convoy/plan/verify.h"

#include "convoy/plan/verify_checks.h"

namespace convoy::plan {

std::string describe_step(const Program& program, int step) {
  const Step& s = program.steps[static_cast<std::size_t>(step)];
  return base::str("step ", step, " (", name(s.kind), s.label.empty() ? "" : " ", s.label, ")");
}

std::string describe_slot(const Program& program, int slot) {
  return base::str("slot ", slot, " '", program.slots[static_cast<std::size_t>(slot)].name, "'");
}

base::Verdict verify(const Program& program) {
  if (const auto verdict = check_slots(program); !verdict) return verdict;
  if (const auto verdict = check_steps(program); !verdict) return verdict;
  const auto order = Order::of(program);
  if (!order) return order.reason();
  if (const auto verdict = check_aliasing(program); !verdict) return verdict;
  if (const auto verdict = check_races(program, *order); !verdict) return verdict;
  if (const auto verdict = check_values(program, *order); !verdict) return verdict;
  return check_segments(program, *order);
}

}  // namespace convoy::plan
