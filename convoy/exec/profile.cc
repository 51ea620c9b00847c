#include "convoy/exec/profile.h"

#include <map>
#include <utility>

#include "convoy/base/check.h"
#include "convoy/kernels/cost.h"

namespace convoy::exec {
namespace {

using plan::Program;
using plan::Step;
using plan::StepKind;

constexpr double kShortestBinding_seconds = 1e-6;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

const plan::KernelCall& kernel_of(const Program& program, const Step& step) {
  return program.kernels[at(step.kernel)];
}

std::string direction_of(const Program& program, const Step& step) {
  if (step.kind == StepKind::fill) return "gradient fill";
  if (step.kind == StepKind::reduce_into) return "gradient sum";
  const kernels::Problem& problem = kernel_of(program, step).problem;
  std::string direction(kernels::name(problem.pass));
  if (problem.epilogue != kernels::Epilogue::none)
    direction += base::str(" + ", kernels::name(problem.epilogue));
  if (step.operands.in_pieces) direction += " + update";
  if (step.recomputed) direction += " again";
  return direction;
}

// Names of layers have no blanks: "conv1 backward_data" and "pool1.gradient sum" begin with one.
std::string layer_of(const Step& step) {
  const std::string name = step.label.substr(0, step.label.find(' '));
  return step.kind == StepKind::compute ? name : name.substr(0, name.find(".gradient"));
}

std::string kernel_text(const Program& program, const Step& step) {
  if (step.kind != StepKind::compute) return "";
  const plan::KernelCall& call = kernel_of(program, step);
  return base::str(call.entry, "/", kernels::name(call.problem.family));
}

std::int64_t moved_bytes(const Program& program, const Step& step) {
  if (step.kind == StepKind::compute) return kernels::moved_bytes(kernel_of(program, step).problem);
  const std::int64_t to = program.slots[at(step.to)].bytes;
  if (step.kind == StepKind::fill) return to;
  return program.slots[at(step.from)].bytes + (step.kind == StepKind::reduce_into ? 2 * to : to);
}

// Sums of the runs so far.
class Sums {
 public:
  void add(const ClockedRun& run) {
    CONVOY_CHECK(run.readings.size() == run.program->steps.size() + 1, run.readings.size(), " readings of ",
                 run.program->steps.size(), " steps");
    for (std::size_t i = 0; i < run.program->steps.size(); ++i)
      add(*run.program, run.program->steps[i], run.readings[i + 1] - run.readings[i]);
    sums_.seconds += run.readings.back() - run.readings.front();
  }

  RunProfile finish() { return std::move(sums_); }

 private:
  void add(const Program& program, const Step& step, double seconds) {
    switch (classify(step.kind)) {
      case StepClass::kernel:
        add_to_row(program, step, seconds);
        break;
      case StepClass::convert:
        sums_.convert_seconds += seconds;
        sums_.convert_bytes += static_cast<double>(moved_bytes(program, step));
        break;
      case StepClass::update:
        sums_.update_seconds += seconds;
        break;
      case StepClass::interpreter:
        sums_.interpreter_seconds += seconds;
        break;
    }
  }

  void add_to_row(const Program& program, const Step& step, double seconds) {
    std::pair key(layer_of(step), direction_of(program, step));
    const auto [place, is_new] = index_.try_emplace(key, sums_.rows.size());
    if (is_new)
      sums_.rows.push_back(
          {.layer = key.first, .direction = key.second, .kernel = kernel_text(program, step)});
    ProfileRow& row = sums_.rows[place->second];
    row.seconds += seconds;
    row.bytes += static_cast<double>(moved_bytes(program, step));
    if (step.kind == StepKind::compute) row.flops += kernels::pass_flops(kernel_of(program, step).problem);
  }

  RunProfile sums_;
  std::map<std::pair<std::string, std::string>, std::size_t> index_;  // of rows, by layer and direction
};

std::string joined(const std::vector<tensor::Shape>& shapes) {
  std::string text;
  for (const tensor::Shape& shape : shapes) text += (text.empty() ? "" : ",") + shape.str();
  return text;
}

base::TraceEvent kernel_span(const Program& program, const Step& step) {
  base::TraceEvent event{.name = layer_of(step) + " " + direction_of(program, step), .category = "kernel"};
  if (step.kind != StepKind::compute) {
    event.details = {{"shape", program.slots[at(step.to)].shape.str()}};
    return event;
  }
  const plan::KernelCall& call = kernel_of(program, step);
  event.details = {{"operator", std::string(call.problem.kind->op)},
                   {"algorithm", call.entry},
                   {"layout", std::string(kernels::name(call.problem.family))},
                   {"implementation", call.implementation},
                   {"shape", joined(call.problem.inputs) + " -> " + joined(call.problem.outputs)}};
  return event;
}

base::TraceEvent convert_span(const Program& program, const Step& step) {
  const plan::Slot& from = program.slots[at(step.from)];
  const plan::Slot& to = program.slots[at(step.to)];
  return {.name = step.label,
          .category = "convert",
          .details = {{"layout", from.layout.tag() + " -> " + to.layout.tag()}, {"shape", to.shape.str()}}};
}

base::TraceEvent span(const Program& program, const Step& step) {
  switch (classify(step.kind)) {
    case StepClass::kernel:
      return kernel_span(program, step);
    case StepClass::convert:
      return convert_span(program, step);
    case StepClass::update:
      return {.name = base::str(step.label, " update"),
              .category = "update of a gradient",
              .details = {{"shape", program.slots[at(step.from)].shape.str()}}};
    case StepClass::interpreter:
      return {.name = base::str(plan::name(step.kind), " ", step.label), .category = "interpreter"};
  }
  CONVOY_CHECK(false, "step kind ", static_cast<int>(step.kind));
}

}  // namespace

StepClass classify(StepKind kind) {
  switch (kind) {
    case StepKind::compute:
    case StepKind::fill:
    case StepKind::reduce_into:
      return StepClass::kernel;
    case StepKind::convert:
      return StepClass::convert;
    case StepKind::ready:
      return StepClass::update;
    case StepKind::acquire:
    case StepKind::mark:
      return StepClass::interpreter;
  }
  CONVOY_CHECK(false, "step kind ", static_cast<int>(kind));
}

RunProfile profile(const std::vector<ClockedRun>& runs) {
  Sums sums;
  for (const ClockedRun& run : runs) sums.add(run);
  return sums.finish();
}

void append_spans(const ClockedRun& run, int first_track, std::vector<base::TraceEvent>& events) {
  for (std::size_t i = 0; i < run.program->steps.size(); ++i) {
    const Step& step = run.program->steps[i];
    const double begin = run.readings[i], end = run.readings[i + 1];
    const bool is_work = step.kind != StepKind::ready && classify(step.kind) != StepClass::interpreter;
    if (!is_work && end - begin < kShortestBinding_seconds) continue;
    base::TraceEvent event = span(*run.program, step);
    event.begin = begin;
    event.end = end;
    event.track = first_track + step.queue;
    events.push_back(std::move(event));
  }
}

}  // namespace convoy::exec
