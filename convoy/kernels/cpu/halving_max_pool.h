// The max pooling that halves an image: windows of 2x2 with stride 2.
#pragma once

#include "convoy/kernels/kernel.h"

namespace convoy::kernels::cpu {

// Refuses other windows, types other than f32, epilogues, and passes that MaxPool does not have.
base::Verdict check_halving_max_pool(const Problem& problem);

}  // namespace convoy::kernels::cpu
