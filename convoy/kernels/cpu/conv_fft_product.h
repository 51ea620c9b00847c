// Products of complex matrices whose entries are vectors of channels, three real multiplications an entry.
#pragma once

#include <cstdint>

namespace convoy::kernels::cpu {

// out[row][block] = sum over terms of a[row][term] conj(b[term][block]); steps are in floats. a[row][term] is
// a scalar whose imaginary part lies a vector of L floats behind its real part; b[term][block] and
// out[row][block] are vectors of L channels, likewise.
struct ComplexProduct {
  std::int64_t rows = 0, terms = 0, blocks = 0;
  std::int64_t a_row = 0, a_term = 0;
  std::int64_t run = 0, a_jump = 0;  // behind each `run` terms a steps by a_jump once more
  std::int64_t b_term = 0, b_block = 0;
  std::int64_t out_row = 0, out_block = 0;
};

// With (a + ib)(c - id): m1 = ac, m2 = bd, m3 = (a + b)(c - d); the result is m1 + m2 + i (m3 - m1 + m2). The
// sums over terms are formed before that.
using ComplexProductFunction = void (*)(const ComplexProduct&, const float* a, const float* b, float* out);

// Compiled for the instruction set that Highway chose when it was asked for; null below AVX2.
ComplexProductFunction find_complex_product();

}  // namespace convoy::kernels::cpu
