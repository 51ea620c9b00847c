// What there is for bf16.
#pragma once

#include "convoy/base/result.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/kernel.h"

namespace convoy::kernels {

// Whether this processor has instructions that multiply bf16 and add in float32 (avx512_bf16); if not, what
// is missing. Where it has none, a convolution in bf16 is slower than in float32, and no kernel here offers
// one.
base::Verdict check_bf16_products();

// Refuses problems of other types than float32 and bf16: for kernels that compute in float32 whatever they
// store.
base::Verdict check_narrow_type(const Problem& problem);

// to[i] = to[i] + from[i] in float32, rounded to the nearest bf16, for the i of the range, on the calling
// thread.
void add_bf16(const tensor::BFloat16* from, tensor::BFloat16* to, base::IndexRange range) noexcept;

}  // namespace convoy::kernels
