#include <map>
#include <utility>

#include "convoy/plan/verify_checks.h"

namespace convoy::plan {
namespace {

using base::Reason;
using base::Verdict;
using tensor::SegmentKind;

std::size_t at(int index) { return static_cast<std::size_t>(index); }
const char* phase(bool backward) { return backward ? "backward" : "forward"; }

// Each parameter slot is bound once, each (segment, phase) has one slot, and a pass reads its own phase's: a
// source that stashes weights may hand out different ones.
Verdict check_acquires(const Program& program) {
  std::map<int, int> binder;                         // parameter slot → step
  std::map<std::pair<int, bool>, int> phase_binder;  // segment and phase → step
  for (int i = 0; i < static_cast<int>(program.steps.size()); ++i) {
    const Step& step = program.steps[at(i)];
    if (step.kind != StepKind::acquire) continue;
    if (const auto [first, fresh] = binder.emplace(step.to, i); !fresh)
      return Reason{base::str(describe_step(program, i), ": ", describe_slot(program, step.to),
                              " is bound already by ", describe_step(program, first->second))};
    if (const auto [first, fresh] = phase_binder.emplace(std::pair(step.segment, step.backward), i); !fresh)
      return Reason{base::str(describe_step(program, i), ": segment ", step.segment,
                              " is acquired already for ", phase(step.backward), " by ",
                              describe_step(program, first->second))};
  }
  for (int i = 0; i < static_cast<int>(program.steps.size()); ++i) {
    const Step& step = program.steps[at(i)];
    if (step.kind != StepKind::compute) continue;
    const bool backward = program.kernels[at(step.kernel)].problem.pass != kernels::Pass::forward;
    for (const int slot : step.reads()) {
      const auto found = binder.find(slot);
      if (found == binder.end() || program.steps[at(found->second)].backward == backward) continue;
      return Reason{base::str(describe_step(program, i), ": reads ", describe_slot(program, slot),
                              ", which is acquired for ", phase(!backward))};
    }
  }
  return {};
}

// Everything that touches one segment, but for its Ready.
struct Touches {
  std::vector<int> gradient_writes, gradient_reads, parameter_uses, state_writes;
};

std::vector<Touches> touches_by_segment(const Program& program) {
  std::vector<Touches> touches(program.layout.segments.size());
  for (int i = 0; i < static_cast<int>(program.steps.size()); ++i) {
    const Step& step = program.steps[at(i)];
    if (step.kind == StepKind::ready) continue;
    for (const int s : step.reads()) {
      const Slot& slot = program.slots[at(s)];
      if (slot.region == Region::parameter) touches[at(slot.segment)].parameter_uses.push_back(i);
      if (slot.region == Region::gradient) touches[at(slot.segment)].gradient_reads.push_back(i);
    }
    for (const int s : step.writes()) {
      const Slot& slot = program.slots[at(s)];
      if (slot.region == Region::parameter) touches[at(slot.segment)].parameter_uses.push_back(i);
      if (slot.region == Region::gradient) touches[at(slot.segment)].gradient_writes.push_back(i);
      if (slot.region == Region::next_state) touches[at(slot.segment)].state_writes.push_back(i);
    }
  }
  return touches;
}

// What is wrong with the announcement of a parameter's gradient by step `ready`; empty: nothing.
std::string announcement_problem(const Program& program, const Order& order, const Touches& touches,
                                 int ready) {
  if (touches.gradient_writes.empty()) return "nothing writes its gradient";
  const std::pair<const char*, const std::vector<int>*> uses[] = {
      {"writes the gradient", &touches.gradient_writes},
      {"reads the gradient", &touches.gradient_reads},
      {"uses the parameter", &touches.parameter_uses}};
  for (const auto& [what, steps] : uses)
    for (const int step : *steps)
      if (!order.before(step, ready))
        return base::str("it is announced before ", describe_step(program, step), " ", what);
  return "";
}

// What is wrong with a gradient that leaves in pieces from step `giver`; empty: nothing.
std::string pieces_problem(const Program& program, const Order& order, const std::vector<Touches>& touches,
                           int giver) {
  const Step& step = program.steps[at(giver)];
  const int gradient = step.operands.param_gradients.empty() ? -1 : step.operands.param_gradients[0];
  if (gradient < 0 || program.slots[at(gradient)].region != Region::gradient)
    return "it gives a gradient in pieces that is no segment's";
  if (!program.kernels[at(step.kernel)].traits.in_pieces) return "its kernel gives no gradient in pieces";
  const Touches& segment = touches[at(program.slots[at(gradient)].segment)];
  if (segment.gradient_writes.size() != 1 || !segment.gradient_reads.empty())
    return "another step needs the array of the gradient that it gives in pieces";
  for (const int use : segment.parameter_uses)
    if (!order.before(use, giver))
      return base::str("its pieces change a parameter before ", describe_step(program, use), " uses it");
  return "";
}

Verdict check_pieces(const Program& program, const Order& order) {
  const std::vector<Touches> touches = touches_by_segment(program);
  for (int i = 0; i < static_cast<int>(program.steps.size()); ++i) {
    if (!program.steps[at(i)].operands.in_pieces) continue;
    const std::string problem = pieces_problem(program, order, touches, i);
    if (!problem.empty()) return Reason{describe_step(program, i) + ": " + problem};
  }
  return {};
}

Verdict check_gradient_mode(const Program& program, const Order& order,
                            const std::vector<std::vector<int>>& readies) {
  const std::vector<Touches> touches = touches_by_segment(program);
  for (std::size_t s = 0; s < touches.size(); ++s) {
    const tensor::Segment& segment = program.layout.segments[s];
    if (segment.kind == SegmentKind::state) {
      if (touches[s].state_writes.size() != 1)
        return Reason{base::str("state ", segment.name, ": ", touches[s].state_writes.size(),
                                " steps write its next value; one must")};
      continue;
    }
    if (readies[s].size() != 1)
      return Reason{base::str("parameter ", segment.name, ": its gradient is announced ", readies[s].size(),
                              " times; once is right")};
    const std::string problem = announcement_problem(program, order, touches[s], readies[s].front());
    if (!problem.empty())
      return Reason{describe_step(program, readies[s].front()) + ": " + segment.name + ": " + problem};
  }
  return {};
}

// A step that computes no gradient has no sink to write to.
Verdict check_other_modes(const Program& program) {
  for (int i = 0; i < static_cast<int>(program.steps.size()); ++i) {
    const Step& step = program.steps[at(i)];
    const std::string mode(name(program.config.mode));
    for (const int slot : step.writes())
      if (program.slots[at(slot)].region != Region::arena && step.kind != StepKind::acquire)
        return Reason{base::str(describe_step(program, i), ": writes ", describe_slot(program, slot),
                                " in mode ", mode)};
  }
  return {};
}

}  // namespace

Verdict check_segments(const Program& program, const Order& order) {
  if (const Verdict verdict = check_acquires(program); !verdict) return verdict;
  if (program.config.mode != StepConfig::Mode::gradient) return check_other_modes(program);
  std::vector<std::vector<int>> readies(program.layout.segments.size());
  for (int i = 0; i < static_cast<int>(program.steps.size()); ++i)
    if (program.steps[at(i)].kind == StepKind::ready) readies[at(program.steps[at(i)].segment)].push_back(i);
  if (const Verdict verdict = check_pieces(program, order); !verdict) return verdict;
  return check_gradient_mode(program, order, readies);
}

}  // namespace convoy::plan
