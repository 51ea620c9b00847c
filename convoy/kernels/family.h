// The layouts that a family of layouts stands for.
#pragma once

#include "convoy/kernels/kernel.h"

namespace convoy::kernels {

// Elements of a block: one vector of this processor, 16 floats with AVX-512, else 8.
std::int64_t family_block();

// Activations of one rank: plain; channels innermost; channels, or samples, in blocks. Below rank 3 all are
// plain. Where a shape makes the result equal to plain it keeps its own tag here; traits state the canonical
// one.
Layout family_layout(int rank, LayoutFamily family);

// The same for one shape, canonical.
Layout activation_layout(const tensor::Shape& shape, LayoutFamily family);

}  // namespace convoy::kernels
