#include "convoy/kernels/cost.h"

#include <algorithm>

namespace convoy::kernels {
namespace {

std::int64_t count(const std::vector<tensor::Shape>& shapes) {
  std::int64_t sum = 0;
  for (const tensor::Shape& shape : shapes) sum += shape.count();
  return sum;
}

std::int64_t param_count(const Problem& problem) {
  std::int64_t sum = 0;
  for (const graph::ParamSpec& param : problem.params) sum += param.shape.count();
  return sum;
}

}  // namespace

std::int64_t moved_bytes(const Problem& problem) {
  const std::int64_t in = count(problem.inputs), out = count(problem.outputs), params = param_count(problem);
  std::int64_t elements = in + out + params;
  // Both backward passes of an element-wise layer also read what forward wrote.
  if (problem.pass != Pass::forward && problem.kind->traits.elementwise) elements += out;
  if (problem.pass == Pass::backward) elements += in;
  return elements * tensor::size_bytes(problem.type);
}

double pass_flops(const Problem& problem) {
  const graph::Work work =
      problem.kind->work(problem.attributes, problem.inputs, {problem.outputs, problem.params});
  if (problem.pass == Pass::forward)
    return 2.0 * static_cast<double>(work.macs) + static_cast<double>(work.other_flops);
  // Half of the MACs belong to each of two separate passes.
  const double macs_factor = problem.pass == Pass::backward ? 2 : 1;
  const bool has_other = problem.pass != Pass::backward_data || problem.params.empty();
  return macs_factor * static_cast<double>(work.macs_backward) +
         (has_other ? static_cast<double>(work.other_flops_backward) : 0);
}

double roofline_seconds(const Problem& problem, const machine::Machine& machine, double efficiency) {
  const std::int64_t bytes = moved_bytes(problem);
  const double bandwidth = bytes <= machine.cache_bytes ? machine.cache_bandwidth : machine.memory_bandwidth;
  const double compute = pass_flops(problem) / (efficiency * machine.f32_flops);
  return machine.dispatch_seconds + std::max(compute, static_cast<double>(bytes) / bandwidth);
}

double sum_error_growth(double terms) { return (terms + 1) / 2; }

double convolution_error_growth(const Problem& problem) {
  const tensor::Shape &weight = problem.params[0].shape, &y = problem.outputs[0];
  switch (problem.pass) {
    case Pass::forward:
      return sum_error_growth(static_cast<double>(weight.count_from(1)) + 1);
    case Pass::backward_data:
      return sum_error_growth(static_cast<double>(weight[0] * weight.count_from(2)) /
                              static_cast<double>(problem.attributes.integer("group")));
    default:
      return sum_error_growth(static_cast<double>(y[0] * y.count_from(2)));
  }
}

}  // namespace convoy::kernels
