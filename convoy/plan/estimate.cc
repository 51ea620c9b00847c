#include "convoy/plan/estimate.h"

#include <algorithm>
#include <map>

#include "convoy/base/check.h"
#include "convoy/plan/order.h"
#include "convoy/tensor/view.h"

namespace convoy::plan {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// Each operand is read or written once; a workspace is written and read again.
std::int64_t traffic_bytes(const Program& program, const Step& step) {
  if (step.kind == StepKind::acquire) return 0;
  std::int64_t bytes = 0;
  for (const std::vector<int>& slots : {step.reads(), step.writes()})
    for (const int slot : slots) bytes += program.slots[at(slot)].bytes;
  if (step.operands.workspace >= 0) bytes += program.slots[at(step.operands.workspace)].bytes;
  return bytes;
}

double step_seconds(const Program& program, const Step& step, std::int64_t bytes, const KernelCosts& costs,
                    const kernels::Catalog& catalog) {
  switch (step.kind) {
    case StepKind::compute: {
      const KernelCall& call = program.kernels[at(step.kernel)];
      const kernels::KernelEntry* entry = kernels::find(catalog, call.problem.kind->op, call.entry);
      CONVOY_CHECK(entry != nullptr, "no kernel '", call.entry, "' for ", call.problem.kind->op);
      return costs.of(*entry, call.problem).seconds;
    }
    case StepKind::convert:
    case StepKind::fill:
    case StepKind::reduce_into: {
      const machine::Machine& machine = costs.machine;
      const double bandwidth =
          bytes <= machine.cache_bytes ? machine.cache_bandwidth : machine.memory_bandwidth;
      return static_cast<double>(bytes) / bandwidth + machine.dispatch_seconds;
    }
    case StepKind::acquire:
    case StepKind::ready:
    case StepKind::mark:
      return 0;
  }
  CONVOY_CHECK(false, "step kind ", static_cast<int>(step.kind));
}

// When the last step ends, if every step starts as soon as its queue and its tokens let it.
double longest_chain_seconds(const Program& program, const std::vector<StepCost>& costs) {
  const auto order = Order::of(program);
  CONVOY_CHECK(order.ok(), order.reason().text);
  std::map<int, double> queue_end, token_time;
  double end = 0;
  for (const int i : order->sequence()) {
    const Step& step = program.steps[at(i)];
    double time = queue_end[step.queue];
    for (const int token : step.waits) time = std::max(time, token_time[token]);
    time += costs[at(i)].seconds;
    queue_end[step.queue] = time;
    if (step.signals >= 0) token_time[step.signals] = time;
    end = std::max(end, time);
  }
  return end;
}

// Arena slots that hold gradients of values: those that kernels read or write as such, and their copies and
// partial sums.
std::vector<bool> activation_gradient_slots(const Program& program) {
  std::vector<bool> is_gradient(program.slots.size(), false);
  for (const Step& step : program.steps)
    for (const std::vector<int>* slots : {&step.operands.output_gradients, &step.operands.input_gradients})
      for (const int slot : *slots)
        if (slot >= 0) is_gradient[at(slot)] = true;
  for (bool changed = true; changed;) {
    changed = false;
    for (const Step& step : program.steps) {
      if (step.kind != StepKind::convert && step.kind != StepKind::reduce_into) continue;
      if (is_gradient[at(step.from)] == is_gradient[at(step.to)]) continue;
      is_gradient[at(step.from)] = is_gradient[at(step.to)] = true;
      changed = true;
    }
  }
  return is_gradient;
}

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + tensor::kAlignment_bytes - 1) / tensor::kAlignment_bytes * tensor::kAlignment_bytes;
}

MemoryEstimate estimate_memory(const Program& program) {
  MemoryEstimate memory;
  const std::int64_t element = tensor::size_bytes(program.layout.type);
  memory.weights = (program.layout.parameter_extent + program.layout.state_extent) * element;
  if (program.config.mode == StepConfig::Mode::gradient) memory.gradients = program.gradient_bytes;
  memory.data = program.arena_bytes;
  for (const int slot : {program.input_slot, program.labels_slot})
    if (slot >= 0) memory.data += program.slots[at(slot)].bytes;
  const std::vector<bool> is_gradient = activation_gradient_slots(program);
  for (std::size_t s = 0; s < program.slots.size(); ++s)
    if (is_gradient[s] && program.slots[s].region == Region::arena)
      memory.activation_gradients += aligned(program.slots[s].bytes);
  std::int64_t scratch = 0, saved = 0;
  for (const Step& step : program.steps) {
    if (step.operands.workspace >= 0)
      scratch = std::max(scratch, aligned(program.slots[at(step.operands.workspace)].bytes));
    if (step.operands.saved >= 0 && step.operands.output_gradients.empty())
      saved += aligned(program.slots[at(step.operands.saved)].bytes);
  }
  memory.workspace = scratch + saved;
  return memory;
}

}  // namespace

Estimate estimate(const Program& program, const KernelCosts& costs, const kernels::Catalog& catalog) {
  Estimate result;
  for (const Step& step : program.steps) {
    StepCost cost;
    cost.bytes = traffic_bytes(program, step);
    cost.seconds = step_seconds(program, step, cost.bytes, costs, catalog);
    result.bytes += cost.bytes;
    result.steps.push_back(cost);
  }
  result.seconds = longest_chain_seconds(program, result.steps);
  result.memory = estimate_memory(program);
  return result;
}

}  // namespace convoy::plan
