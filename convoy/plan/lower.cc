#include "convoy/plan/lower.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "convoy/kernels/layout_map.h"
#include "convoy/plan/analysis.h"
#include "convoy/plan/memory.h"
#include "convoy/plan/recompute.h"

namespace convoy::plan {
namespace {

using kernels::Layout;
using kernels::Pass;
using tensor::DType;
using tensor::SegmentKind;
using tensor::Shape;
using Mode = StepConfig::Mode;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// The places of one array: the same elements in one or more layouts and types.
using Copies = std::vector<int>;

// Builds one Program. Errors are kept as the first refusal; every method is harmless after it.
class Lowering {
 public:
  Lowering(const graph::Graph& graph, const Plan& plan, const StepConfig& config,
           const kernels::Catalog& catalog)
      : graph_(graph), plan_(plan), catalog_(catalog), analysis_(graph, config) {
    program_.config = config;
    program_.graph_name = graph.name();
    values_.resize(graph.values().size());
    gradients_.resize(graph.values().size());
    prepared_.resize(graph.layers().size());
    saved_.assign(graph.layers().size(), -1);
  }

  base::Result<Program> run() {
    if (plan_.layers.size() != graph_.layers().size())
      return base::Reason{base::str("the plan has ", plan_.layers.size(), " layers and the model ",
                                    graph_.layers().size(), ": it was made for another model")};
    if (program_.config.mode == Mode::gradient && graph_.loss() < 0)
      return base::Reason{base::str(graph_.name(), " has no loss, and so no gradient")};
    auto layout = param_layout(graph_, plan_, program_.config.type);
    if (!layout) return layout.reason();
    program_.layout = std::move(layout).value();
    for (auto& phase : segments_) phase.resize(program_.layout.segments.size());
    announced_.assign(program_.layout.segments.size(), false);
    parameter_gradients_.assign(program_.layout.segments.size(), -1);
    prepare_kernels();
    if (refusal_) return *refusal_;
    declare_inputs();
    mark("forward");
    for (int i = 0; i < layer_count(); ++i)
      if (analysis_.needed(i)) lower_forward(i);
    program_.output_slot = value_in(graph_.output(), {Layout::plain(), program_.config.type}, "output");
    if (program_.config.mode != Mode::predict && graph_.loss() >= 0)
      program_.loss_slot = value_in(graph_.loss(), {Layout::plain(), program_.config.type}, "loss");
    if (program_.config.mode == Mode::gradient) lower_gradient();
    mark("end");
    recompute_planned();
    plan_memory(program_, plan_.share_memory);
    return std::move(program_);
  }

 private:
  struct Prepared {
    std::map<Pass, int> kernels;  // index into Program::kernels
    bool fused = false;
    bool absorbed = false;  // fused, and its derivative too
  };

  void recompute_planned() {
    std::vector<bool> layers;
    for (const LayerPlan& choices : plan_.layers) layers.push_back(choices.recomputed);
    if (std::find(layers.begin(), layers.end(), true) != layers.end()) recompute(program_, layers);
  }

  int layer_count() const { return static_cast<int>(graph_.layers().size()); }
  const graph::Layer& layer(int i) const { return graph_.layers()[at(i)]; }

  // --- kernels ------------------------------------------------------------------------------------------

  void prepare_kernels() {
    for (int i = 0; i < layer_count() && !refusal_; ++i) {
      const LayerPlan& choices = plan_.layers[at(i)];
      if (choices.layer != layer(i).name) {
        refuse(i,
               base::str("the plan has '", choices.layer, "' in its place: it was made for another model"));
        return;
      }
      if (!analysis_.needed(i)) continue;
      if (choices.fused_into_producer && !fuse(i)) return;
      for (const Pass pass : analysis_.passes(i)) {
        if (choices.fused_into_producer && pass == Pass::forward) continue;
        if (choices.fused_into_producer && !choices.passes.contains(pass))
          absorb(i);
        else
          prepare(i, pass);
        if (refusal_) return;
      }
      check_saved(i);
    }
  }

  // Adds the epilogue to the producer's forward kernel.
  bool fuse(int i) {
    const int producer = analysis_.fusion_producer(i);
    if (producer < 0 || prepared_[at(producer)].fused) {
      refuse(i, "it is planned as fused, but no single layer before it could apply it");
      return false;
    }
    if (reads_own_output(producer))
      refuse(producer, base::str("with ", layer(i).name, ": its backward pass reads its output"));
    else
      add_epilogue(i, producer, Pass::forward);
    prepared_[at(i)].fused = true;
    return !refusal_;
  }

  // Leaves the derivative of a fused Relu to the producer's backward kernel.
  void absorb(int i) {
    const int producer = analysis_.fusion_producer(i);
    if (!prepared_[at(producer)].kernels.contains(Pass::backward))
      return refuse(i, base::str("the plan names no kernel for ", kernels::name(Pass::backward_data)));
    add_epilogue(i, producer, Pass::backward);
    prepared_[at(i)].absorbed = true;
  }

  void add_epilogue(int relu, int producer, Pass pass) {
    KernelCall& call = program_.kernels[at(prepared_[at(producer)].kernels.at(pass))];
    kernels::Problem problem = call.problem;
    problem.epilogue = kernels::Epilogue::relu;
    const kernels::KernelEntry* entry = kernels::find(catalog_, problem.kind->op, call.entry);
    const base::Verdict verdict = entry->supports(problem);
    if (!verdict)
      return refuse(producer, base::str(kernels::name(pass), " by ", call.entry, " with ", layer(relu).name,
                                        ": ", verdict.reason().text));
    make(call, *entry, problem);
  }

  // Whether a backward kernel of the layer needs what forward wrote, which a fused Relu would have changed.
  bool reads_own_output(int i) const {
    for (const auto& [pass, index] : prepared_[at(i)].kernels)
      for (const bool reads : program_.kernels[at(index)].traits.reads_outputs)
        if (pass != Pass::forward && reads) return true;
    return false;
  }

  void prepare(int i, Pass pass) {
    const auto found = plan_.layers[at(i)].passes.find(pass);
    if (found == plan_.layers[at(i)].passes.end())
      return refuse(i, base::str("the plan names no kernel for ", kernels::name(pass)));
    if (found->second.bf16 && !program_.config.bf16)
      return refuse(i, base::str(kernels::name(pass), " is planned by ", str(found->second),
                                 ", but the step is one of ", tensor::name(program_.config.type)));
    const kernels::Problem problem = analysis_.problem(i, pass, found->second.family, found->second.bf16);
    const kernels::KernelEntry* entry = kernels::find(catalog_, problem.kind->op, found->second.entry);
    if (entry == nullptr)
      return refuse(i, base::str("no kernel '", found->second.entry, "' for ", problem.kind->op));
    const base::Verdict verdict = entry->supports(problem);
    if (!verdict)
      return refuse(i,
                    base::str(kernels::name(pass), " by ", str(found->second), ": ", verdict.reason().text));
    prepared_[at(i)].kernels[pass] = static_cast<int>(program_.kernels.size());
    program_.kernels.emplace_back();
    make(program_.kernels.back(), *entry, problem);
  }

  static void make(KernelCall& call, const kernels::KernelEntry& entry, const kernels::Problem& problem) {
    const auto kernel = entry.make(problem);
    call = {problem, std::string(entry.name), kernel->traits(), kernel->implementation()};
  }

  // What forward saved can be read only by its own kind.
  void check_saved(int i) {
    const auto& kernels = prepared_[at(i)].kernels;
    const auto forward = kernels.find(Pass::forward);
    if (refusal_ || forward == kernels.end()) return;
    const KernelCall& first = program_.kernels[at(forward->second)];
    for (const auto& [pass, index] : kernels) {
      const KernelCall& call = program_.kernels[at(index)];
      const bool alike = call.entry == first.entry && call.problem.family == first.problem.family &&
                         call.problem.type == first.problem.type;
      if (pass != Pass::forward && !alike && (first.traits.saved_bytes > 0 || call.traits.saved_bytes > 0))
        return refuse(i, base::str(kernels::name(pass), " by ", call.entry, " cannot read what ", first.entry,
                                   " saved in forward: choose one kernel for both"));
    }
  }

  void refuse(int i, const std::string& why) {
    if (!refusal_) refusal_ = base::Reason{base::str("layer ", layer(i).name, ": ", why)};
  }

  // --- slots --------------------------------------------------------------------------------------------

  int add_slot(Slot slot) {
    slot.bytes = slot.layout.storage_bytes(slot.shape, slot.type);
    program_.slots.push_back(std::move(slot));
    return static_cast<int>(program_.slots.size()) - 1;
  }

  // How an array is stored.
  struct Form {
    Layout layout;
    DType type;
  };

  int arena_slot(std::string name, const Shape& shape, const Form& form) {
    return add_slot({.name = std::move(name), .shape = shape, .type = form.type, .layout = form.layout});
  }

  int raw_slot(std::string name, std::int64_t bytes) {
    return bytes == 0 ? -1 : add_slot({.name = std::move(name), .shape = {bytes}, .type = DType::u8});
  }

  int segment_slot(Region region, int segment) {
    const tensor::Segment& place = program_.layout.segments[at(segment)];
    const std::string suffix = region == Region::parameter ? "" : base::str(".", name(region));
    return add_slot({.name = place.name + suffix,
                     .region = region,
                     .segment = segment,
                     .shape = Shape(place.slice.extent),
                     .type = program_.config.type,
                     .layout = kernels::stored_layout(place)});
  }

  Step& add_step(StepKind kind, std::string label) {
    program_.steps.push_back({.kind = kind, .label = std::move(label)});
    return program_.steps.back();
  }

  void mark(const char* text) { add_step(StepKind::mark, text); }

  // A slot of `copies` in `form`; adds the conversion if there is none. The copy is kept for later readers.
  // `shape` is the reader's: behind a view, a plain slot has another one.
  int in_form(Copies& copies, const Shape& shape, const Form& form, const std::string& reader) {
    for (const int slot : copies)
      if (type_of(slot) == form.type &&
          kernels::same_order(shape, program_.slots[at(slot)].layout, form.layout))
        return slot;
    const Slot source = program_.slots[at(copies.front())];
    const std::string cast = source.type == form.type ? "" : base::str(":", tensor::name(form.type));
    const int to = arena_slot(base::str(source.name, "@", form.layout.tag(), cast), shape, form);
    convert(copies.front(), to, reader);
    copies.push_back(to);
    return to;
  }

  DType type_of(int slot) const { return program_.slots[at(slot)].type; }
  const Shape& shape_of(graph::ValueId value) const { return analysis_.shapes().values[at(value)]; }

  // Labels are of one type whatever their reader computes in.
  int value_in(graph::ValueId value, const Form& form, const std::string& reader) {
    const DType type = value == graph_.labels() ? DType::i32 : form.type;
    return in_form(values_[at(value)], shape_of(value), {form.layout, type}, reader);
  }

  int gradient_in(graph::ValueId value, const Form& form, const std::string& reader) {
    return in_form(gradients_[at(value)], shape_of(value), form, reader);
  }

  void convert(int from, int to, const std::string& reader) {
    Step& step = add_step(StepKind::convert, base::str(program_.slots[at(from)].name, " for ", reader));
    step.from = from;
    step.to = to;
  }

  void declare_inputs() {
    const Shape& shape = analysis_.shapes().values[at(graph_.input())];
    program_.input_slot =
        add_slot({.name = "input", .region = Region::input, .shape = shape, .type = program_.config.type});
    values_[at(graph_.input())] = {program_.input_slot};
    if (graph_.labels() < 0) return;
    program_.labels_slot = add_slot(
        {.name = "labels", .region = Region::labels, .shape = {program_.config.batch}, .type = DType::i32});
    values_[at(graph_.labels())] = {program_.labels_slot};
  }

  // The segment's parameters for one phase, in `form`, acquired on first use.
  int parameter(int segment, bool backward, const Form& form, const std::string& reader) {
    Copies& copies = segments_[backward ? 1 : 0][at(segment)];
    if (copies.empty()) {
      copies.push_back(segment_slot(Region::parameter, segment));
      Step& step = add_step(StepKind::acquire, program_.layout.segments[at(segment)].name);
      step.to = copies.front();
      step.segment = segment;
      step.backward = backward;
    }
    return in_form(copies, program_.slots[at(copies.front())].shape, form, reader);
  }

  // --- forward ------------------------------------------------------------------------------------------

  void lower_forward(int i) {
    const graph::Layer& node = layer(i);
    if (prepared_[at(i)].fused) {
      values_[at(node.outputs[0])] = values_[at(node.inputs[0])];
      return;
    }
    if (node.kind->traits.is_view) {
      const Form form{Layout::plain(), type_of(values_[at(node.inputs[0])].front())};
      values_[at(node.outputs[0])] = {value_in(node.inputs[0], form, node.name)};
      return;
    }
    const int kernel = prepared_[at(i)].kernels.at(Pass::forward);
    const KernelCall call = program_.kernels[at(kernel)];
    const std::string label = base::str(node.name, " forward");
    Operands operands;
    for (std::size_t k = 0; k < node.inputs.size(); ++k)
      operands.inputs.push_back(value_in(node.inputs[k], {call.traits.inputs[k], call.problem.type}, label));
    operands.params = parameters(i, call, /*backward=*/false, label);
    for (std::size_t k = 0; k < node.outputs.size(); ++k) {
      const int slot = arena_slot(graph_.values()[at(node.outputs[k])].name, call.problem.outputs[k],
                                  {call.traits.outputs[k], call.problem.type});
      operands.outputs.push_back(slot);
      values_[at(node.outputs[k])] = {slot};
    }
    if (program_.config.mode == Mode::gradient) {
      // A kernel that saves does so whether or not this layer is differentiated.
      operands.saved = saved_[at(i)] = raw_slot(node.name + ".saved", call.traits.saved_bytes);
      for (std::size_t k = 0; k < call.problem.params.size(); ++k)
        operands.next_state.push_back(call.problem.params[k].kind == SegmentKind::state
                                          ? segment_slot(Region::next_state, segment_of(i, k))
                                          : -1);
    }
    operands.workspace = raw_slot(label + ".workspace", call.traits.workspace_bytes);
    compute(i, kernel, label, std::move(operands));
  }

  int segment_of(int i, std::size_t param) const {
    return analysis_.first_segment(i) + static_cast<int>(param);
  }

  std::vector<int> parameters(int i, const KernelCall& call, bool backward, const std::string& label) {
    std::vector<int> slots;
    const std::vector<DType>& types = call.traits.param_types;
    for (std::size_t k = 0; k < call.problem.params.size(); ++k) {
      const Form form{call.traits.params[k], types.empty() ? program_.config.type : types[k]};
      slots.push_back(parameter(segment_of(i, k), backward, form, label));
    }
    return slots;
  }

  void compute(int i, int kernel, const std::string& label, Operands operands) {
    Step& step = add_step(StepKind::compute, label);
    step.layer = i;
    step.kernel = kernel;
    step.operands = std::move(operands);
  }

  // --- backward -----------------------------------------------------------------------------------------

  void lower_gradient() {
    mark("backward");
    const int seed = arena_slot("loss.gradient", shape_of(graph_.loss()),
                                {Layout::plain(), type_of(values_[at(graph_.loss())].front())});
    Step& fill = add_step(StepKind::fill, "loss gradient");
    fill.to = seed;
    fill.value = 1;
    gradients_[at(graph_.loss())] = {seed};
    for (int i = layer_count(); i-- > 0;) {
      if (!analysis_.needed(i) || !analysis_.differentiated(layer(i).outputs[0])) continue;
      lower_backward(i);
    }
    announce_unused();
  }

  // Parameters that do not influence the loss have a gradient all the same: zero.
  void announce_unused() {
    for (int s = 0; s < static_cast<int>(program_.layout.segments.size()); ++s) {
      if (announced_[at(s)] || program_.layout.segments[at(s)].kind != SegmentKind::parameter) continue;
      Step& fill = add_step(StepKind::fill, program_.layout.segments[at(s)].name + " gradient");
      fill.to = segment_slot(Region::gradient, s);
      announce(s, fill.to);
    }
  }

  void announce(int segment, int gradient) {
    Step& step = add_step(StepKind::ready, program_.layout.segments[at(segment)].name);
    step.segment = segment;
    step.from = gradient;
    announced_[at(segment)] = true;
  }

  void lower_backward(int i) {
    const graph::Layer& node = layer(i);
    if (node.kind->traits.is_view) {
      if (!analysis_.differentiated(node.inputs[0])) return;
      const Form form{Layout::plain(), type_of(gradients_[at(node.outputs[0])].front())};
      contribute(i, node.inputs[0], gradient_in(node.outputs[0], form, node.name));
      return;
    }
    if (analysis_.passes_gradient_on(i)) {
      for (const graph::ValueId input : node.inputs)
        if (analysis_.differentiated(input)) contribute(i, input, gradients_[at(node.outputs[0])].front());
      return;
    }
    if (prepared_[at(i)].absorbed) {
      gradients_[at(node.inputs[0])] = gradients_[at(node.outputs[0])];
      return;
    }
    for (const Pass pass : analysis_.passes(i))
      if (pass != Pass::forward) lower_backward_pass(i, pass);
    const auto& params = analysis_.shapes().signatures[at(i)].params;
    for (std::size_t k = 0; k < params.size(); ++k) {
      if (params[k].kind == SegmentKind::parameter)
        announce(segment_of(i, k), parameter_gradients_[at(segment_of(i, k))]);
    }
  }

  void lower_backward_pass(int i, Pass pass) {
    const graph::Layer& node = layer(i);
    const int kernel = prepared_[at(i)].kernels.at(pass);
    const KernelCall call = program_.kernels[at(kernel)];
    const std::string label = base::str(node.name, " ", kernels::name(pass));
    Operands operands;
    for (std::size_t k = 0; k < node.outputs.size(); ++k)
      operands.output_gradients.push_back(
          gradient_in(node.outputs[k], {call.traits.outputs[k], call.problem.type}, label));
    forward_arrays(i, call, label, operands);
    operands.params = pass == Pass::backward_weights ? std::vector<int>(call.problem.params.size(), -1)
                                                     : parameters(i, call, /*backward=*/true, label);
    operands.saved = call.traits.saved_bytes > 0 ? saved_[at(i)] : -1;
    operands.workspace = raw_slot(label + ".workspace", call.traits.workspace_bytes);
    std::vector<std::pair<int, int>> conversions;  // gradient slots that leave in another layout
    if (pass != Pass::backward_data) parameter_gradients(i, call, operands, conversions);
    for (std::size_t k = 0; k < node.inputs.size(); ++k)
      operands.input_gradients.push_back(
          call.problem.wanted[k]
              ? arena_slot(base::str(graph_.values()[at(node.inputs[k])].name, ".gradient"),
                           call.problem.inputs[k], {call.traits.inputs[k], call.problem.type})
              : -1);
    const std::vector<int> contributions = operands.input_gradients;
    compute(i, kernel, label, std::move(operands));
    for (const auto& [from, to] : conversions) convert(from, to, label);
    for (std::size_t k = 0; k < node.inputs.size(); ++k)
      if (contributions[k] >= 0) contribute(i, node.inputs[k], contributions[k]);
  }

  // The forward inputs and outputs that a backward kernel reads. A fused Relu's input was never stored; its
  // output has the same signs, which is all that the derivative asks.
  void forward_arrays(int i, const KernelCall& call, const std::string& label, Operands& operands) {
    const graph::Layer& node = layer(i);
    const bool fused = prepared_[at(i)].fused;
    const DType type = call.problem.type;
    for (std::size_t k = 0; k < node.inputs.size(); ++k)
      operands.inputs.push_back(
          call.traits.reads_inputs[k]
              ? value_in(fused ? node.outputs[0] : node.inputs[k], {call.traits.inputs[k], type}, label)
              : -1);
    for (std::size_t k = 0; k < node.outputs.size(); ++k)
      operands.outputs.push_back(call.traits.reads_outputs[k]
                                     ? value_in(node.outputs[k], {call.traits.outputs[k], type}, label)
                                     : -1);
  }

  void parameter_gradients(int i, const KernelCall& call, Operands& operands,
                           std::vector<std::pair<int, int>>& conversions) {
    for (std::size_t k = 0; k < call.problem.params.size(); ++k) {
      const graph::ParamSpec& param = call.problem.params[k];
      if (param.kind != SegmentKind::parameter) {
        operands.param_gradients.push_back(-1);
        continue;
      }
      const int target = segment_slot(Region::gradient, segment_of(i, k));
      parameter_gradients_[at(segment_of(i, k))] = target;
      if (kernels::same_order(param.shape, call.traits.params[k], program_.slots[at(target)].layout)) {
        operands.param_gradients.push_back(target);
        if (k == 0) operands.in_pieces = call.traits.in_pieces;
        continue;
      }
      const int blocked =
          arena_slot(base::str(program_.slots[at(target)].name, "@", call.traits.params[k].tag()),
                     param.shape, {call.traits.params[k], program_.config.type});
      operands.param_gradients.push_back(blocked);
      conversions.emplace_back(blocked, target);
    }
  }

  // Adds one reader's gradient, layer i's, to the value's. The first becomes it; a later one is summed into
  // it, or it into that one where another value's gradient lies in the same slot and is still to be read.
  void contribute(int i, graph::ValueId value, int slot) {
    Copies& gradient = gradients_[at(value)];
    if (gradient.empty()) {
      gradient = {slot};
      return;
    }
    const std::string label = base::str(graph_.values()[at(value)].name, ".gradient sum");
    int to = gradient.front(), from = slot;
    if (is_awaited(i, value, to)) std::swap(to, from);
    if (is_awaited(i, value, to) || to == from) {
      const int sum = arena_slot(base::str(graph_.values()[at(value)].name, ".gradient sum"), shape_of(value),
                                 {program_.slots[at(to)].layout, type_of(to)});
      add_step(StepKind::fill, label).to = sum;
      reduce(to, sum, value, label);
      to = sum;
    }
    reduce(from, to, value, label);
    gradient = {to};
  }

  void reduce(int from, int to, graph::ValueId value, const std::string& label) {
    Copies addend = {from};
    const int term = in_form(addend, shape_of(value), {program_.slots[at(to)].layout, type_of(to)}, label);
    Step& step = add_step(StepKind::reduce_into, label);
    step.from = term;
    step.to = to;
  }

  // Whether the slot is also the gradient of another value, whose producer is lowered after layer i.
  bool is_awaited(int i, graph::ValueId value, int slot) const {
    for (graph::ValueId other = 0; other < static_cast<int>(gradients_.size()); ++other) {
      const Copies& copies = gradients_[at(other)];
      if (other != value && graph_.values()[at(other)].producer < i &&
          std::find(copies.begin(), copies.end(), slot) != copies.end())
        return true;
    }
    return false;
  }

  const graph::Graph& graph_;
  const Plan& plan_;
  const kernels::Catalog& catalog_;
  Analysis analysis_;
  Program program_;
  std::optional<base::Reason> refusal_;
  std::vector<Prepared> prepared_;        // by layer
  std::vector<int> saved_;                // by layer
  std::vector<Copies> values_;            // by value
  std::vector<Copies> gradients_;         // by value
  std::vector<bool> announced_;           // by segment: its gradient is final
  std::vector<int> parameter_gradients_;  // by segment: the slot
  std::vector<Copies> segments_[2];       // by segment: forward, backward
};

}  // namespace

base::Result<tensor::ParamLayout> param_layout(const graph::Graph& graph, const Plan& plan, DType type) {
  tensor::ParamLayout layout{.type = type};
  for (tensor::Segment segment : graph.param_layout(type).segments) {
    if (const auto found = plan.storage.find(segment.name); found != plan.storage.end()) {
      const auto parsed = Layout::parse(found->second, segment.global_shape.rank());
      if (!parsed) return base::Reason{base::str("storage of ", segment.name, ": ", parsed.reason().text)};
      if (const base::Verdict fits = parsed->fits(segment.global_shape); !fits)
        return base::Reason{base::str("storage of ", segment.name, ": ", fits.reason().text)};
      segment.layout_tag = found->second;
      segment.count = parsed->storage_count(segment.global_shape);
    }
    layout.append(std::move(segment));
  }
  for (const auto& [name, tag] : plan.storage)
    if (layout.find(name) < 0)
      return base::Reason{
          base::str("storage of ", name, ": ", graph.name(), " has no such parameter or state")};
  return layout;
}

base::Result<Program> lower(const graph::Graph& graph, const Plan& plan, const StepConfig& config,
                            const kernels::Catalog& catalog) {
  return Lowering(graph, plan, config, catalog).run();
}

}  // namespace convoy::plan
