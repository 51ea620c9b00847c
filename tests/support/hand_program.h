// Programs built by hand, step by step, for the tests of what reads Programs. Header only, so that a folder's
// own tests can include it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convoy/layers/catalog.h"
#include "convoy/plan/memory.h"
#include "convoy/plan/program.h"

namespace convoy::testing {

// Collects slots, kernels and steps. Arrays are float32 and plain unless a test changes them afterwards.
class HandProgram {
 public:
  explicit HandProgram(plan::StepConfig::Mode mode = plan::StepConfig::Mode::gradient) {
    program.config.mode = mode;
    program.config.batch = 2;
    program.graph_name = "hand";
    program.layout.type = tensor::DType::f32;
  }

  int slot(std::string name, tensor::Shape shape, plan::Region region = plan::Region::arena,
           int segment = -1) {
    plan::Slot slot;
    slot.name = std::move(name);
    slot.region = region;
    slot.segment = segment;
    slot.bytes = shape.count() * 4;
    slot.shape = std::move(shape);
    program.slots.push_back(std::move(slot));
    return static_cast<int>(program.slots.size()) - 1;
  }

  int raw(std::string name, std::int64_t bytes) {
    const int index = slot(std::move(name), {bytes});
    program.slots.back().type = tensor::DType::u8;
    program.slots.back().bytes = bytes;
    return index;
  }

  plan::Step& step(plan::StepKind kind, std::string label) {
    program.steps.emplace_back();
    program.steps.back().kind = kind;
    program.steps.back().label = std::move(label);
    return program.steps.back();
  }

  void acquire(int segment, int to, bool backward) {
    plan::Step& s =
        step(plan::StepKind::acquire, program.layout.segments[static_cast<std::size_t>(segment)].name);
    s.segment = segment;
    s.to = to;
    s.backward = backward;
  }

  void ready(int segment) {
    plan::Step& s =
        step(plan::StepKind::ready, program.layout.segments[static_cast<std::size_t>(segment)].name);
    s.segment = segment;
    for (std::size_t i = 0; i < program.slots.size(); ++i)
      if (program.slots[i].region == plan::Region::gradient && program.slots[i].segment == segment)
        s.from = static_cast<int>(i);
  }

  void fill(int to, double value) {
    plan::Step& s = step(plan::StepKind::fill, "fill");
    s.to = to;
    s.value = value;
  }

  void move(plan::StepKind kind, int from, int to) {
    plan::Step& s = step(kind, "move");
    s.from = from;
    s.to = to;
  }

  // A kernel call whose problem and traits fit the operands: every array as its slot is, all forward arrays
  // that are there read.
  plan::Step& compute(std::string label, const graph::LayerKind& kind, kernels::Pass pass,
                      plan::Operands operands, bool in_place = false) {
    plan::KernelCall call;
    call.entry = "reference";
    call.implementation = "by hand";
    call.problem.kind = &kind;
    call.problem.pass = pass;
    call.problem.training = program.config.mode == plan::StepConfig::Mode::gradient;
    const bool forward = pass == kernels::Pass::forward;
    describe(forward ? operands.inputs : larger(operands.inputs, operands.input_gradients),
             call.problem.inputs, call.traits.inputs);
    describe(forward ? operands.outputs : operands.output_gradients, call.problem.outputs,
             call.traits.outputs);
    for (const int p : larger(operands.params, operands.param_gradients)) {
      graph::ParamSpec spec;
      spec.shape = program.slots[static_cast<std::size_t>(p)].shape;
      call.problem.params.push_back(std::move(spec));
      call.traits.params.emplace_back();
    }
    for (const int g : operands.input_gradients) call.problem.wanted.push_back(g >= 0);
    for (const int i : operands.inputs) call.traits.reads_inputs.push_back(i >= 0);
    for (const int o : operands.outputs) call.traits.reads_outputs.push_back(o >= 0);
    if (operands.workspace >= 0) call.traits.workspace_bytes = bytes(operands.workspace);
    if (operands.saved >= 0) call.traits.saved_bytes = bytes(operands.saved);
    call.traits.in_place = in_place;
    program.kernels.push_back(std::move(call));
    plan::Step& s = step(plan::StepKind::compute, std::move(label));
    s.kernel = static_cast<int>(program.kernels.size()) - 1;
    s.operands = std::move(operands);
    return s;
  }

  plan::Program program;

 private:
  std::int64_t bytes(int slot) const { return program.slots[static_cast<std::size_t>(slot)].bytes; }

  static const std::vector<int>& larger(const std::vector<int>& a, const std::vector<int>& b) {
    return a.size() >= b.size() ? a : b;
  }

  void describe(const std::vector<int>& slots, std::vector<tensor::Shape>& shapes,
                std::vector<kernels::Layout>& layouts) const {
    for (const int s : slots) {
      shapes.push_back(s < 0 ? tensor::Shape{} : program.slots[static_cast<std::size_t>(s)].shape);
      layouts.push_back(s < 0 ? kernels::Layout() : program.slots[static_cast<std::size_t>(s)].layout);
    }
  }
};

// One training step of x → fc1 → relu → fc2 → loss, as lowering would write it, on one queue. Memory is not
// planned yet.
inline plan::Program two_layer_program() {
  using kernels::Pass;
  using plan::Region;
  using plan::StepKind;
  HandProgram hand;
  plan::Program& p = hand.program;
  p.layout.append_replicated("fc1.weight", {4, 4}, tensor::SegmentKind::parameter, tensor::ParamRole::weight);
  p.layout.append_replicated("fc2.weight", {4, 4}, tensor::SegmentKind::parameter, tensor::ParamRole::weight);
  const tensor::Shape rows{2, 4};
  const int x = p.input_slot = hand.slot("x", rows, Region::input);
  const int w1 = hand.slot("fc1.weight", {4, 4}, Region::parameter, 0);
  const int h = hand.slot("h", rows);
  const int r = hand.slot("r", rows);
  const int w2 = hand.slot("fc2.weight", {4, 4}, Region::parameter, 1);
  const int y = p.output_slot = hand.slot("y", rows);
  const int saved = hand.raw("loss.saved", 100);
  const int loss = p.loss_slot = hand.slot("loss", {});
  const int seed = hand.slot("loss.gradient", {});
  const int dy = hand.slot("y.gradient", rows);
  const int dw2 = hand.slot("fc2.weight.gradient", {4, 4}, Region::gradient, 1);
  const int scratch = hand.raw("fc2.workspace", 300);
  const int w2_backward = hand.slot("fc2.weight", {4, 4}, Region::parameter, 1);
  const int dr = hand.slot("r.gradient", rows);
  const int dh = hand.slot("h.gradient", rows);
  const int dw1 = hand.slot("fc1.weight.gradient", {4, 4}, Region::gradient, 0);

  hand.step(StepKind::mark, "forward");
  hand.acquire(0, w1, false);
  hand.compute("fc1 forward", layers::kGemm, Pass::forward, {.inputs = {x}, .params = {w1}, .outputs = {h}});
  hand.compute("relu forward", layers::kRelu, Pass::forward, {.inputs = {h}, .outputs = {r}}, true);
  hand.acquire(1, w2, false);
  hand.compute("fc2 forward", layers::kGemm, Pass::forward, {.inputs = {r}, .params = {w2}, .outputs = {y}});
  hand.compute("loss forward", layers::kSoftmaxCrossEntropyLoss, Pass::forward,
               {.inputs = {y}, .outputs = {loss}, .saved = saved});
  hand.step(StepKind::mark, "backward");
  hand.fill(seed, 1);
  hand.compute("loss backward", layers::kSoftmaxCrossEntropyLoss, Pass::backward_data,
               {.inputs = {y}, .output_gradients = {seed}, .input_gradients = {dy}, .saved = saved});
  hand.compute("fc2 backward_weights", layers::kGemm, Pass::backward_weights,
               {.inputs = {r}, .output_gradients = {dy}, .param_gradients = {dw2}, .workspace = scratch});
  hand.acquire(1, w2_backward, true);
  hand.compute("fc2 backward_data", layers::kGemm, Pass::backward_data,
               {.params = {w2_backward}, .output_gradients = {dy}, .input_gradients = {dr}});
  hand.ready(1);
  hand.compute("relu backward", layers::kRelu, Pass::backward_data,
               {.outputs = {r}, .output_gradients = {dr}, .input_gradients = {dh}}, true);
  hand.compute("fc1 backward_weights", layers::kGemm, Pass::backward_weights,
               {.inputs = {x}, .output_gradients = {dh}, .param_gradients = {dw1}});
  hand.ready(0);
  hand.step(StepKind::mark, "end");
  return std::move(hand.program);
}

// Index of the step with this label, or of the slot with this name; of several, the first. A test that asks
// for what is not there is wrong.
inline int step_named(const plan::Program& program, std::string_view label) {
  for (std::size_t i = 0; i < program.steps.size(); ++i)
    if (program.steps[i].label == label) return static_cast<int>(i);
  CONVOY_CHECK(false, "no step ", label);
}
inline int slot_named(const plan::Program& program, std::string_view name) {
  for (std::size_t i = 0; i < program.slots.size(); ++i)
    if (program.slots[i].name == name) return static_cast<int>(i);
  CONVOY_CHECK(false, "no slot ", name);
}
inline plan::Step& step_of(plan::Program& program, std::string_view label) {
  return program.steps[static_cast<std::size_t>(step_named(program, label))];
}
inline plan::Slot& slot_of(plan::Program& program, std::string_view name) {
  return program.slots[static_cast<std::size_t>(slot_named(program, name))];
}

}  // namespace convoy::testing
