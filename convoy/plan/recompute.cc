#include "convoy/plan/recompute.h"

#include <utility>

#include "convoy/base/check.h"

namespace convoy::plan {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

class Rewriter {
 public:
  Rewriter(Program& program, const std::vector<bool>& layers)
      : program_(program),
        layers_(layers),
        steps_(std::exchange(program.steps, {})),
        writer_(program.slots.size(), -1),
        again_(program.slots.size(), -1) {}

  std::vector<int> run(int backward) {
    for (int i = 0; i < backward; ++i) {
      note_dropped(i);
      program_.steps.push_back(steps_[at(i)]);
    }
    for (int i = backward; i < static_cast<int>(steps_.size()); ++i) {
      Step step = steps_[at(i)];
      replace_reads(step);
      program_.steps.push_back(std::move(step));
    }
    return std::move(repeated_);
  }

 private:
  // Notes which slots the forward step writes for the forward pass alone.
  void note_dropped(int index) {
    const Step& step = steps_[at(index)];
    if (step.kind == StepKind::convert) {
      const bool of_parameter = program_.slots[at(step.from)].region == Region::parameter;
      if (of_parameter || is_dropped(step.from)) drop(step.to, index);
    }
    if (step.kind != StepKind::compute || !layers_[at(step.layer)]) return;
    for (const int slot : step.operands.outputs) drop(slot, index);
    drop(step.operands.saved, index);
  }

  void drop(int slot, int writer) {
    if (slot >= 0 && slot != program_.output_slot && slot != program_.loss_slot) writer_[at(slot)] = writer;
  }

  bool is_dropped(int slot) const { return slot >= 0 && writer_[at(slot)] >= 0; }

  // Lets the step read dropped slots where they are written again. What it writes stays: no step writes to a
  // slot that the forward pass wrote.
  void replace_reads(Step& step) {
    Operands& o = step.operands;
    for (std::vector<int>* slots : {&o.inputs, &o.params}) replace(*slots);
    if (!o.output_gradients.empty()) {
      replace(o.outputs);
      replace(o.saved);
    }
    replace(step.from);
  }

  void replace(std::vector<int>& slots) {
    for (int& slot : slots) replace(slot);
  }

  void replace(int& slot) {
    if (!is_dropped(slot)) return;
    if (again_[at(slot)] < 0) repeat(writer_[at(slot)]);
    slot = again_[at(slot)];
  }

  // Appends the forward step once more, and before it what it needs.
  void repeat(int index) {
    Step step = steps_[at(index)];
    step.recomputed = true;
    step.label += " again";
    replace_reads(step);
    for (int& slot : step.operands.outputs) renew(slot);
    renew(step.operands.saved);
    renew(step.operands.workspace);
    renew(step.to);
    for (int& slot : step.operands.next_state) discard(slot);
    repeated_.push_back(index);
    program_.steps.push_back(std::move(step));
  }

  // A slot like it, which later readers find.
  void renew(int& slot) {
    if (slot < 0) return;
    Slot fresh = program_.slots[at(slot)];
    fresh.name += ".again";
    again_[at(slot)] = add(std::move(fresh));
    slot = again_[at(slot)];
  }

  // A place for a state that the first forward pass has given to the sink.
  void discard(int& slot) {
    if (slot < 0) return;
    Slot fresh = program_.slots[at(slot)];
    fresh.name += ".again";
    fresh.region = Region::arena;
    fresh.segment = -1;
    slot = add(std::move(fresh));
  }

  int add(Slot slot) {
    program_.slots.push_back(std::move(slot));
    return static_cast<int>(program_.slots.size()) - 1;
  }

  Program& program_;
  const std::vector<bool>& layers_;
  std::vector<Step> steps_;  // before the change
  std::vector<int> writer_;  // by old slot: the forward step that writes it, where it is dropped; -1
  std::vector<int> again_;   // by old slot: where it is written again; -1
  std::vector<int> repeated_;
};

}  // namespace

int backward_begin(const Program& program) {
  for (int i = 0; i < static_cast<int>(program.steps.size()); ++i)
    if (program.steps[at(i)].kind == StepKind::mark && program.steps[at(i)].label == "backward") return i;
  return static_cast<int>(program.steps.size());
}

std::vector<int> recompute(Program& program, const std::vector<bool>& layers) {
  const int backward = backward_begin(program);
  if (backward == static_cast<int>(program.steps.size())) return {};
  for (const Step& step : program.steps)
    CONVOY_CHECK(step.queue == 0 && !step.recomputed, "step ", step.label, " of a Program on one queue");
  return Rewriter(program, layers).run(backward);
}

}  // namespace convoy::plan
