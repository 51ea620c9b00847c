#include "convoy/plan/program.h"

#include <initializer_list>

#include "convoy/base/check.h"

namespace convoy::plan {
namespace {

void append(std::vector<int>& all, const std::vector<int>& some) {
  for (const int slot : some)
    if (slot >= 0) all.push_back(slot);
}

}  // namespace

std::string_view name(StepConfig::Mode mode) {
  switch (mode) {
    case StepConfig::Mode::loss:
      return "loss";
    case StepConfig::Mode::gradient:
      return "gradient";
    case StepConfig::Mode::predict:
      return "predict";
  }
  CONVOY_CHECK(false, "mode ", static_cast<int>(mode));
}

std::string_view name(Region region) {
  switch (region) {
    case Region::arena:
      return "arena";
    case Region::parameter:
      return "parameter";
    case Region::gradient:
      return "gradient";
    case Region::next_state:
      return "next_state";
    case Region::input:
      return "input";
    case Region::labels:
      return "labels";
  }
  CONVOY_CHECK(false, "region ", static_cast<int>(region));
}

std::string_view name(StepKind kind) {
  switch (kind) {
    case StepKind::acquire:
      return "acquire";
    case StepKind::compute:
      return "compute";
    case StepKind::convert:
      return "convert";
    case StepKind::fill:
      return "fill";
    case StepKind::reduce_into:
      return "reduce_into";
    case StepKind::ready:
      return "ready";
    case StepKind::mark:
      return "mark";
  }
  CONVOY_CHECK(false, "step kind ", static_cast<int>(kind));
}

std::vector<int> Step::reads() const {
  std::vector<int> slots;
  append(slots, operands.inputs);
  append(slots, operands.params);
  append(slots, operands.output_gradients);
  // A backward pass reads what the forward pass wrote.
  if (!operands.output_gradients.empty()) {
    append(slots, operands.outputs);
    append(slots, {operands.saved});
  }
  append(slots, {from});
  if (kind == StepKind::reduce_into) append(slots, {to});
  return slots;
}

std::vector<int> Step::writes() const {
  std::vector<int> slots;
  if (operands.output_gradients.empty()) {
    append(slots, operands.outputs);
    append(slots, {operands.saved});
  }
  append(slots, operands.next_state);
  append(slots, operands.input_gradients);
  append(slots, operands.param_gradients);
  append(slots, {operands.workspace, to});
  return slots;
}

std::vector<bool> given_in_pieces(const Program& program) {
  std::vector<bool> given(program.slots.size(), false);
  for (const Step& step : program.steps)
    if (step.operands.in_pieces && !step.operands.param_gradients.empty() &&
        step.operands.param_gradients[0] >= 0)
      given[static_cast<std::size_t>(step.operands.param_gradients[0])] = true;
  return given;
}

}  // namespace convoy::plan
