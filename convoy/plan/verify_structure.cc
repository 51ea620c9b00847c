#include <cstdlib>
#include <map>
#include <utility>

#include "convoy/kernels/layout_map.h"
#include "convoy/plan/verify_checks.h"
#include "convoy/tensor/view.h"

namespace convoy::plan {
namespace {

using base::Reason;
using base::Verdict;
using kernels::Layout;
using kernels::Pass;
using tensor::SegmentKind;
using tensor::Shape;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

bool is_slot(const Program& program, int slot) { return slot >= 0 && at(slot) < program.slots.size(); }

bool is_segment(const Program& program, int segment) {
  return segment >= 0 && at(segment) < program.layout.segments.size();
}

// --- slots ------------------------------------------------------------------------------------------------

// Why the layout cannot order this shape; empty: it can.
std::string layout_problem(const Layout& layout, const Shape& shape) {
  const auto parsed = Layout::parse(layout.tag(), shape.rank());
  if (!parsed) return parsed.reason().text;
  const bool grouped = layout.tag().size() > 1 && layout.tag()[0] == 'g' && layout.tag()[1] <= '9';
  if (!grouped) return "";
  const std::int64_t groups = std::atoll(layout.tag().c_str() + 1);
  return shape[0] % groups == 0 ? "" : base::str(groups, " groups do not divide ", shape[0]);
}

// What is wrong with a slot's place in an arena of so many bytes; empty: nothing.
std::string place_problem(const Slot& slot, std::int64_t memory_bytes) {
  if (slot.offset < 0 || slot.offset % tensor::kAlignment_bytes != 0)
    return base::str("offset ", slot.offset, " is not aligned to ", tensor::kAlignment_bytes, " bytes");
  if (slot.bytes > memory_bytes || slot.offset > memory_bytes - slot.bytes)
    return base::str(slot.bytes, " bytes from ", slot.offset, " on leave the arena of ", memory_bytes);
  return "";
}

// What is wrong with a slot that stands for a segment; empty: nothing.
std::string segment_problem(const Program& program, const Slot& slot) {
  if (!is_segment(program, slot.segment))
    return base::str("segment ", slot.segment, " does not exist; there are ", program.layout.segments.size());
  const tensor::Segment& segment = program.layout.segments[at(slot.segment)];
  if (slot.region == Region::gradient && segment.kind != SegmentKind::parameter)
    return "it is the gradient of " + segment.name + ", which is state";
  if (slot.region == Region::next_state && segment.kind != SegmentKind::state)
    return "it is the next state of " + segment.name + ", which is a parameter";
  if (slot.layout.tag() != segment.layout_tag)
    return base::str("its layout is ", slot.layout.tag(), "; that of ", segment.name, " is ",
                     segment.layout_tag);
  if (slot.layout.storage_count(slot.shape) != segment.count || slot.type != program.layout.type)
    return base::str("it has ", slot.layout.storage_count(slot.shape), " elements of ",
                     tensor::name(slot.type), "; ", segment.name, " has ", segment.count, " of ",
                     tensor::name(program.layout.type));
  return "";
}

std::string region_problem(const Program& program, int index) {
  const Slot& slot = program.slots[at(index)];
  switch (slot.region) {
    case Region::arena:
      return place_problem(slot, program.arena_bytes);
    case Region::gradient:
      if (std::string problem = segment_problem(program, slot); !problem.empty()) return problem;
      if (slot.offset == -1 && given_in_pieces(program)[at(index)]) return "";
      return place_problem(slot, program.gradient_bytes);
    case Region::parameter:
    case Region::next_state:
      return segment_problem(program, slot);
    case Region::input:
      return index == program.input_slot ? "" : "it is not the Program's input slot";
    case Region::labels:
      if (index != program.labels_slot) return "it is not the Program's labels slot";
      return slot.type == tensor::DType::i32 ? "" : "labels are i32";
  }
  return base::str("region ", static_cast<int>(slot.region), " does not exist");
}

// The slots that the Program itself names.
Verdict check_named_slots(const Program& program) {
  const StepConfig::Mode mode = program.config.mode;
  const struct {
    const char* role;
    int slot;
    bool required;
  } named[] = {{"input", program.input_slot, false},
               {"labels", program.labels_slot, false},
               {"output", program.output_slot, true},
               {"loss", program.loss_slot, mode != StepConfig::Mode::predict}};
  for (const auto& [role, slot, required] : named) {
    if (slot < 0 && required) return Reason{base::str("the Program has no ", role, " slot")};
    if (slot >= 0 && !is_slot(program, slot))
      return Reason{base::str("the ", role, " slot ", slot, " does not exist")};
  }
  if (program.input_slot >= 0 && program.slots[at(program.input_slot)].region != Region::input)
    return Reason{describe_slot(program, program.input_slot) + ": the input slot is not in the input region"};
  if (program.labels_slot >= 0 && program.slots[at(program.labels_slot)].region != Region::labels)
    return Reason{describe_slot(program, program.labels_slot) +
                  ": the labels slot is not in the labels region"};
  if (program.loss_slot >= 0 && program.slots[at(program.loss_slot)].shape.count() != 1)
    return Reason{describe_slot(program, program.loss_slot) + ": the loss is no single number"};
  return {};
}

// --- operands ---------------------------------------------------------------------------------------------

// Whether an array in `slot` reads the same as one of `shape` in `layout`. The slot may have another shape of
// as many elements where both are row-major: a view.
bool holds(const Slot& slot, const Layout& layout, const Shape& shape) {
  if (slot.shape == shape) return kernels::same_order(shape, slot.layout, layout);
  return slot.shape.count() == shape.count() && kernels::same_order(shape, layout, Layout::plain()) &&
         kernels::same_order(slot.shape, slot.layout, Layout::plain());
}

// Checks the operands of one compute step against its problem and traits. Keeps the first violation.
class OperandCheck {
 public:
  OperandCheck(const Program& program, int index)
      : program_(program),
        index_(index),
        operands_(program.steps[at(index)].operands),
        call_(program.kernels[at(program.steps[at(index)].kernel)]) {}

  Verdict run() {
    const kernels::Problem& problem = call_.problem;
    const bool forward = problem.pass == Pass::forward;
    if (call_.traits.inputs.size() != problem.inputs.size() ||
        call_.traits.outputs.size() != problem.outputs.size() ||
        call_.traits.params.size() != problem.params.size())
      fail("its kernel states layouts for other operands than its problem has");
    else if (forward)
      check_forward();
    else
      check_backward();
    if (verdict_) check_all_types();
    if (forward ? problem.training : true)
      check_raw("saved array", operands_.saved, call_.traits.saved_bytes);
    check_raw("workspace", operands_.workspace, call_.traits.workspace_bytes);
    return verdict_;
  }

 private:
  void check_forward() {
    check_list("input", operands_.inputs, problem().inputs, call_.traits.inputs, all(problem().inputs));
    check_list("parameter", operands_.params, param_shapes(), call_.traits.params, all(problem().params));
    check_list("output", operands_.outputs, problem().outputs, call_.traits.outputs, all(problem().outputs));
    check_written("next state", operands_.next_state, param_shapes(), plain(),
                  problem().training ? of_kind(SegmentKind::state) : std::vector<bool>());
    check_written("output gradient", operands_.output_gradients, {}, {}, {});
    check_written("input gradient", operands_.input_gradients, {}, {}, {});
    check_written("parameter gradient", operands_.param_gradients, {}, {}, {});
  }

  void check_backward() {
    const Pass pass = problem().pass;
    const bool weights = pass != Pass::backward_data, data = pass != Pass::backward_weights;
    check_list("output gradient", operands_.output_gradients, problem().outputs, call_.traits.outputs,
               all(problem().outputs));
    check_list("input", operands_.inputs, problem().inputs, call_.traits.inputs, call_.traits.reads_inputs);
    check_list("output", operands_.outputs, problem().outputs, call_.traits.outputs,
               call_.traits.reads_outputs);
    check_list("parameter", operands_.params, param_shapes(), call_.traits.params, {});
    check_written("input gradient", operands_.input_gradients, problem().inputs, call_.traits.inputs,
                  data ? problem().wanted : std::vector<bool>());
    check_written("parameter gradient", operands_.param_gradients, param_shapes(), call_.traits.params,
                  weights ? of_kind(SegmentKind::parameter) : std::vector<bool>());
    check_written("next state", operands_.next_state, {}, {}, {});
  }

  const kernels::Problem& problem() const { return call_.problem; }
  std::vector<Layout> plain() const { return std::vector<Layout>(problem().params.size()); }

  template <class List>
  static std::vector<bool> all(const List& list) {
    return std::vector<bool>(list.size(), true);
  }

  std::vector<bool> of_kind(SegmentKind kind) const {
    std::vector<bool> flags;
    for (const graph::ParamSpec& param : problem().params) flags.push_back(param.kind == kind);
    return flags;
  }

  std::vector<Shape> param_shapes() const {
    std::vector<Shape> shapes;
    for (const graph::ParamSpec& param : problem().params) shapes.push_back(param.shape);
    return shapes;
  }

  void check_all_types() {
    const tensor::DType master = kernels::master_type(problem().type);
    for (const auto& [role, slots] :
         {std::pair("input", &operands_.inputs), std::pair("output", &operands_.outputs),
          std::pair("output gradient", &operands_.output_gradients),
          std::pair("input gradient", &operands_.input_gradients)})
      check_types(role, *slots, std::vector(slots->size(), problem().type));
    std::vector<tensor::DType> read = call_.traits.param_types;
    if (read.empty()) read.assign(problem().params.size(), master);
    check_types("parameter", operands_.params, read);
    for (const auto& [role, slots] : {std::pair("parameter gradient", &operands_.param_gradients),
                                      std::pair("next state", &operands_.next_state)})
      check_types(role, *slots, std::vector(slots->size(), master));
  }

  void check_types(const char* role, const std::vector<int>& slots, const std::vector<tensor::DType>& types) {
    if (slots.size() > types.size())
      return fail(
          base::str("its kernel states the types of ", types.size(), " of ", slots.size(), " ", role, "s"));
    for (std::size_t k = 0; k < slots.size(); ++k) {
      if (slots[k] < 0) continue;
      const Slot& slot = program_.slots[at(slots[k])];
      const tensor::DType type = slot.region == Region::labels ? tensor::DType::i32 : types[k];
      if (slot.type != type)
        return fail(base::str(role, " ", k, " is ", describe_slot(program_, slots[k]), " of ",
                              tensor::name(slot.type), "; ", tensor::name(type), " is wanted"));
    }
  }

  // One slot a shape, or none at all where nothing is required.
  void check_list(const char* role, const std::vector<int>& slots, const std::vector<Shape>& shapes,
                  const std::vector<Layout>& layouts, const std::vector<bool>& required) {
    for (std::size_t k = 0; k < required.size(); ++k)
      if (required[k] && (k >= slots.size() || slots[k] < 0))
        return fail(base::str(role, " ", k, " is absent"));
    if (slots.size() > shapes.size())
      return fail(base::str("it has ", slots.size(), " operands for ", shapes.size(), " ", role, "s"));
    for (std::size_t k = 0; k < slots.size(); ++k)
      if (slots[k] >= 0) check_operand(base::str(role, " ", k), slots[k], shapes[k], layouts[k]);
  }

  // Besides: no slot for an array that the kernel does not write, whose contents would be taken as written.
  void check_written(const char* role, const std::vector<int>& slots, const std::vector<Shape>& shapes,
                     const std::vector<Layout>& layouts, const std::vector<bool>& wanted) {
    for (std::size_t k = 0; k < slots.size(); ++k)
      if (slots[k] >= 0 && (k >= wanted.size() || !wanted[k]))
        return fail(base::str(role, " ", k, " is ", describe_slot(program_, slots[k]), ", which its ",
                              kernels::name(problem().pass), " kernel does not write"));
    if (!wanted.empty()) check_list(role, slots, shapes, layouts, wanted);
  }

  void check_operand(const std::string& role, int index, const Shape& shape, const Layout& layout) {
    const Slot& slot = program_.slots[at(index)];
    const std::string where = role + " is " + describe_slot(program_, index);
    if (const std::string problem = layout_problem(layout, shape); !problem.empty())
      return fail(where + ": " + problem);
    if (slot.shape.count() != shape.count())
      return fail(base::str(where, " of shape ", slot.shape.str(), "; ", shape.str(), " is wanted"));
    if (!holds(slot, layout, shape))
      return fail(base::str(where, " in layout ", slot.layout.tag(), "; ", layout.tag(),
                            " is wanted: a convert misses"));
  }

  void check_raw(const char* role, int index, std::int64_t bytes) {
    if (bytes == 0) return;
    if (index < 0) return fail(base::str("it needs a ", role, " of ", bytes, " bytes and has none"));
    if (program_.slots[at(index)].bytes < bytes)
      fail(base::str("its ", role, " ", describe_slot(program_, index), " has ",
                     program_.slots[at(index)].bytes, " bytes; ", bytes, " are wanted"));
  }

  void fail(const std::string& what) {
    if (verdict_) verdict_ = Reason{describe_step(program_, index_) + ": " + what};
  }

  const Program& program_;
  int index_;
  const Operands& operands_;
  const KernelCall& call_;
  Verdict verdict_;
};

// --- steps ------------------------------------------------------------------------------------------------

// Checks what convert and reduce_into say of their two slots; empty: nothing is wrong.
std::string pair_problem(const Program& program, const Step& step) {
  const Slot& from = program.slots[at(step.from)];
  const Slot& to = program.slots[at(step.to)];
  const bool add = step.kind == StepKind::reduce_into;
  const bool rounds = !add && (from.type == tensor::DType::bf16
                                   ? to.type == tensor::DType::f32
                                   : from.type == tensor::DType::f32 && to.type == tensor::DType::bf16);
  if ((from.type != to.type && !rounds) || from.shape.count() != to.shape.count())
    return base::str(describe_slot(program, step.from), " (", from.shape.str(), " ", tensor::name(from.type),
                     ") and ", describe_slot(program, step.to), " (", to.shape.str(), " ",
                     tensor::name(to.type), ") hold different arrays");
  if (add && !holds(from, to.layout, to.shape))
    return base::str(describe_slot(program, step.from), " in layout ", from.layout.tag(),
                     " is added to one in ", to.layout.tag());
  // Behind a view the same array has another shape, which says nothing of a blocked layout's order.
  if (!add && from.shape != to.shape && !holds(from, Layout::plain(), from.shape) &&
      !holds(to, Layout::plain(), to.shape))
    return base::str(describe_slot(program, step.from), " of shape ", from.shape.str(), " in ",
                     from.layout.tag(), " is converted to ", to.shape.str(), " in ", to.layout.tag());
  return "";
}

std::string acquire_problem(const Program& program, const Step& step) {
  const Slot& slot = program.slots[at(step.to)];
  if (slot.region != Region::parameter || slot.segment != step.segment)
    return base::str("it binds segment ", step.segment, " to ", describe_slot(program, step.to),
                     ", which is no parameter slot of that segment");
  return "";
}

std::string ready_problem(const Program& program, const Step& step) {
  if (!is_segment(program, step.segment)) return base::str("segment ", step.segment, " does not exist");
  if (program.layout.segments[at(step.segment)].kind != SegmentKind::parameter)
    return program.layout.segments[at(step.segment)].name + " is state, which has no gradient";
  if (program.slots[at(step.from)].region != Region::gradient ||
      program.slots[at(step.from)].segment != step.segment)
    return base::str("it announces ", describe_slot(program, step.from), ", which is no gradient of segment ",
                     step.segment);
  return "";
}

// Whether the slots that the step's kind needs are there; empty: they are.
std::string missing_slot(const Program& program, const Step& step) {
  const bool moves = step.kind == StepKind::convert || step.kind == StepKind::reduce_into;
  const bool needs_from = moves || step.kind == StepKind::ready;
  const bool needs_to = moves || step.kind == StepKind::fill || step.kind == StepKind::acquire;
  if (needs_from && !is_slot(program, step.from)) return base::str("slot ", step.from, " does not exist");
  if (needs_to && !is_slot(program, step.to)) return base::str("slot ", step.to, " does not exist");
  for (const std::vector<int>& slots : {step.reads(), step.writes()})
    for (const int slot : slots)
      if (!is_slot(program, slot)) return base::str("slot ", slot, " does not exist");
  return "";
}

// A step writes only to memory that is the Program's to write; empty: so it is.
std::string read_only_problem(const Program& program, const Step& step) {
  for (const int slot : step.writes()) {
    const Region region = program.slots[at(slot)].region;
    const bool writable =
        region == Region::arena || region == Region::gradient || region == Region::next_state;
    if (!writable && !(step.kind == StepKind::acquire && slot == step.to))
      return base::str("it writes ", describe_slot(program, slot), ", and the ", name(region),
                       " region is read-only");
  }
  return "";
}

std::string step_problem(const Program& program, const Step& step) {
  if (step.kind == StepKind::ready && program.config.mode != StepConfig::Mode::gradient)
    return base::str("it announces a gradient in mode ", name(program.config.mode));
  if (std::string problem = missing_slot(program, step); !problem.empty()) return problem;
  if (std::string problem = read_only_problem(program, step); !problem.empty()) return problem;
  switch (step.kind) {
    case StepKind::acquire:
      return acquire_problem(program, step);
    case StepKind::convert:
    case StepKind::reduce_into:
      return pair_problem(program, step);
    case StepKind::ready:
      return ready_problem(program, step);
    case StepKind::compute:
      if (step.kernel < 0 || at(step.kernel) >= program.kernels.size())
        return base::str("kernel ", step.kernel, " does not exist");
      return "";
    case StepKind::fill:
    case StepKind::mark:
      return "";
  }
  return base::str("step kind ", static_cast<int>(step.kind), " does not exist");
}

}  // namespace

Verdict check_slots(const Program& program) {
  std::map<std::pair<Region, int>, int> owner;  // of a sink's memory
  for (int i = 0; i < static_cast<int>(program.slots.size()); ++i) {
    const Slot& slot = program.slots[at(i)];
    std::string problem = layout_problem(slot.layout, slot.shape);
    if (problem.empty() && slot.bytes < slot.layout.storage_bytes(slot.shape, slot.type))
      problem = base::str(slot.bytes, " bytes are too few for ", slot.shape.str(), " ",
                          tensor::name(slot.type), " in ", slot.layout.tag());
    if (problem.empty()) problem = region_problem(program, i);
    if (problem.empty() && (slot.region == Region::gradient || slot.region == Region::next_state)) {
      const auto [first, fresh] = owner.emplace(std::pair(slot.region, slot.segment), i);
      if (!fresh) problem = "it is the same memory as " + describe_slot(program, first->second);
    }
    if (!problem.empty()) return Reason{describe_slot(program, i) + ": " + problem};
  }
  return check_named_slots(program);
}

Verdict check_steps(const Program& program) {
  for (int i = 0; i < static_cast<int>(program.steps.size()); ++i) {
    const Step& step = program.steps[at(i)];
    const std::string problem = step_problem(program, step);
    if (!problem.empty()) return Reason{describe_step(program, i) + ": " + problem};
    if (step.kind != StepKind::compute) continue;
    if (const Verdict verdict = OperandCheck(program, i).run(); !verdict) return verdict;
  }
  return {};
}

}  // namespace convoy::plan
