// The passes of the batch-blocked direct convolution. conv_direct_batch.cc makes the entry of them.
#pragma once

#include <memory>

#include "convoy/kernels/kernel.h"

namespace convoy::kernels::cpu {

// Both require a problem that the entry supports: forward or backward_data; backward_weights.
std::unique_ptr<Kernel> make_batch_correlation(const Problem& problem);
std::unique_ptr<Kernel> make_batch_weights(const Problem& problem);

}  // namespace convoy::kernels::cpu
