// The entry "direct": convolution by its definition, in blocks of one vector of channels.
#include "convoy/kernels/cpu/conv_direct.h"

#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/entries.h"

namespace convoy::kernels::cpu {
namespace {

base::Verdict supports(const Problem& problem) {
  switch (problem.pass) {
    case Pass::forward:
      return supports_direct_forward(problem);
    case Pass::backward_data:
      return supports_direct_backward_data(problem);
    case Pass::backward_weights:
      return supports_direct_backward_weights(problem);
    case Pass::backward:
      break;
  }
  return base::Reason{"Conv has no joint backward pass"};
}

std::unique_ptr<Kernel> make(const Problem& problem) {
  if (problem.pass == Pass::forward) return make_direct_forward(problem);
  if (problem.pass == Pass::backward_data) return make_direct_backward_data(problem);
  return make_direct_backward_weights(problem);
}

double seconds(const Problem& problem, const machine::Machine& machine) {
  if (problem.pass == Pass::forward) return direct_forward_seconds(problem, machine);
  if (problem.pass == Pass::backward_data) return direct_backward_data_seconds(problem, machine);
  return direct_backward_weights_seconds(problem, machine);
}

}  // namespace

KernelEntry conv_direct_entry() {
  return {.name = "direct",
          .op = "Conv",
          .supports = supports,
          .make = make,
          .seconds = seconds,
          .error_growth = convolution_error_growth};
}

}  // namespace convoy::kernels::cpu
