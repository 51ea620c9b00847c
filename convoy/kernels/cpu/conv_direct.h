// The parts of the direct convolution, one a pass. conv_direct.cc makes the entry "direct" of them.
#pragma once

#include <memory>

#include "convoy/base/result.h"
#include "convoy/kernels/kernel.h"
#include "convoy/machine/machine.h"

namespace convoy::kernels::cpu {

// Each trio serves problems of its own pass in LayoutFamily::blocked: whether it takes the problem, the
// kernel (requires support), and the predicted seconds of one call.

base::Verdict supports_direct_forward(const Problem& problem);
std::unique_ptr<Kernel> make_direct_forward(const Problem& problem);
double direct_forward_seconds(const Problem& problem, const machine::Machine& machine);

base::Verdict supports_direct_backward_data(const Problem& problem);
std::unique_ptr<Kernel> make_direct_backward_data(const Problem& problem);
double direct_backward_data_seconds(const Problem& problem, const machine::Machine& machine);

base::Verdict supports_direct_backward_weights(const Problem& problem);
std::unique_ptr<Kernel> make_direct_backward_weights(const Problem& problem);
double direct_backward_weights_seconds(const Problem& problem, const machine::Machine& machine);

}  // namespace convoy::kernels::cpu
