// Which instruction set the vectorised kernels run on.
#pragma once

#include <string>

namespace convoy::kernels::cpu {

// "simd:AVX3", "simd:AVX2", "simd:SSE4": the widest of this build that the processor has.
std::string simd_target();

}  // namespace convoy::kernels::cpu
