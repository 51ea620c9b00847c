// The bias gradient of a convolution, which every algorithm's backward_weights writes beside its filters.
#pragma once

#include <cstdint>

#include "convoy/kernels/cpu/conv_geometry.h"

namespace convoy::kernels::cpu {

// Overwrites db with the sum of dY over samples and positions: db[k] = sum over n,p,q of dy[n,k,p,q].
// dy is nChw{block}c, aligned to 64 bytes, `block` the lanes of one vector (family_block()); db is plain, K
// elements. Threads over channel blocks; the same bits for every thread count; |error| <= NPQ/2 epsilon times
// the sum of absolute terms.
void sum_bias_gradient(const float* dy, const ConvGeometry& g, std::int64_t block, float* db) noexcept;

}  // namespace convoy::kernels::cpu
