#include "convoy/plan/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "convoy/plan/memory.h"
#include "convoy/plan/plan.h"

namespace convoy::plan {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

class Printer {
 public:
  Printer(const Program& program, bool implementations)
      : program_(program), implementations_(implementations) {}

  std::string run() {
    line("program {} {} batch {} {}{}", program_.graph_name, name(program_.config.mode),
         program_.config.batch, tensor::name(program_.config.type), program_.config.bf16 ? " with bf16" : "");
    line("steps");
    for (int i = 0; i < static_cast<int>(program_.steps.size()); ++i) print_step(i);
    line("slots");
    const std::vector<Lifetime> used = lifetimes(program_);
    for (int i = 0; i < static_cast<int>(program_.slots.size()); ++i) print_slot(i, used[at(i)]);
    print_totals();
    return std::move(text_);
  }

 private:
  template <class... Args>
  void line(fmt::string_view format, const Args&... args) {
    fmt::vformat_to(std::back_inserter(text_), format, fmt::make_format_args(args...));
    text_ += '\n';
  }

  std::string slot(int index) const {
    return index < 0 ? "-" : fmt::format("{}[{}]", program_.slots[at(index)].name, index);
  }

  // " in=a[0],-,b[2]"; nothing where all are absent.
  std::string list(const char* role, const std::vector<int>& slots) const {
    if (std::all_of(slots.begin(), slots.end(), [](int s) { return s < 0; })) return "";
    std::string text = fmt::format(" {}=", role);
    for (std::size_t k = 0; k < slots.size(); ++k) text += (k == 0 ? "" : ",") + slot(slots[k]);
    return text;
  }

  std::string kernel(const Step& step) const {
    const KernelCall& call = program_.kernels[at(step.kernel)];
    const bool bf16 = call.problem.type == tensor::DType::bf16;
    std::string text = " " + str(Choice{call.entry, call.problem.family, bf16});
    if (call.problem.epilogue != kernels::Epilogue::none)
      text += fmt::format("+{}", kernels::name(call.problem.epilogue));
    if (call.traits.in_place) text += " in-place";
    if (step.operands.in_pieces) text += " in-pieces";
    if (implementations_) text += fmt::format(" ({})", call.implementation);
    return text;
  }

  std::string operands(const Operands& o) const {
    return list("in", o.inputs) + list("params", o.params) + list("out", o.outputs) +
           list("next_state", o.next_state) + list("dout", o.output_gradients) +
           list("din", o.input_gradients) + list("dparams", o.param_gradients) + list("saved", {o.saved}) +
           list("workspace", {o.workspace});
  }

  std::string details(const Step& step) const {
    switch (step.kind) {
      case StepKind::acquire:
        return fmt::format(" {} segment={} to={}", step.backward ? "backward" : "forward", step.segment,
                           slot(step.to));
      case StepKind::compute:
        return kernel(step) + operands(step.operands);
      case StepKind::convert:
      case StepKind::reduce_into:
        return fmt::format(" from={} to={}", slot(step.from), slot(step.to));
      case StepKind::fill:
        return fmt::format(" to={} value={}", slot(step.to), step.value);
      case StepKind::ready:
        return fmt::format(" segment={} from={}", step.segment, slot(step.from));
      case StepKind::mark:
        return "";
    }
    CONVOY_CHECK(false, "step kind ", static_cast<int>(step.kind));
  }

  void print_step(int index) {
    const Step& step = program_.steps[at(index)];
    std::string order;
    if (step.queue != 0) order += fmt::format(" queue={}", step.queue);
    for (std::size_t k = 0; k < step.waits.size(); ++k)
      order += fmt::format("{}{}", k == 0 ? " waits=" : ",", step.waits[k]);
    if (step.signals >= 0) order += fmt::format(" signals={}", step.signals);
    line("{:4} {}{}{}{}{}", index, name(step.kind), step.label.empty() ? "" : " ", step.label, details(step),
         order);
  }

  void print_slot(int index, const Lifetime& used) {
    const Slot& s = program_.slots[at(index)];
    std::string place;
    if (s.region == Region::arena || (s.region == Region::gradient && s.offset >= 0))
      place = fmt::format(" offset={}", s.offset);
    if (s.segment >= 0) place += fmt::format(" segment={}", s.segment);
    const std::string life = used.first < 0 ? "unused" : fmt::format("steps {}..{}", used.first, used.last);
    line("{:4} {} {} {} {} {}{} bytes={} {}", index, s.name, name(s.region), s.shape.str(),
         tensor::name(s.type), s.layout.tag(), place, s.bytes, life);
  }

  void print_totals() {
    line("input={} labels={} output={} loss={}", slot(program_.input_slot), slot(program_.labels_slot),
         slot(program_.output_slot), slot(program_.loss_slot));
    line("steps={} kernels={} slots={} segments={} parameters={}", program_.steps.size(),
         program_.kernels.size(), program_.slots.size(), program_.layout.segments.size(),
         program_.layout.parameter_count);
    line("arena_bytes={} unshared={} bound={} gradient_bytes={}", program_.arena_bytes,
         program_.arena_bytes_unshared, live_bytes_bound(program_), program_.gradient_bytes);
  }

  const Program& program_;
  bool implementations_;
  std::string text_;
};

}  // namespace

std::string print(const Program& program, bool implementations) {
  return Printer(program, implementations).run();
}

}  // namespace convoy::plan
