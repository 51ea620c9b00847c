// The GEMM of few rows, whose time is that of reading B once: B is not packed.
#pragma once

#include "convoy/kernels/cpu/gemm.h"

namespace convoy::kernels::cpu {

// Whether multiply_skinny should serve this product: packing B costs as much as multiplying it with few rows.
bool is_skinny(const Gemm& gemm);

// Floats of scratch for one thread.
std::int64_t skinny_scratch_count(const Gemm& gemm);

// C (+)= op(A) B for columns [begin, end) of C, in the calling thread. B as stored: rows of vectors when it
// is not transposed, else dot products along its rows. The next columns of B are prefetched.
void multiply_skinny(const Gemm& gemm, std::int64_t begin, std::int64_t end, float* scratch) noexcept;

}  // namespace convoy::kernels::cpu
