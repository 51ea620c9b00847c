// Which instruction set the vectorised kernels run on.
#pragma once

#include <cstdint>
#include <string>

namespace convoy::kernels::cpu {

// "simd:AVX3", "simd:AVX2", "simd:SSE4": the widest of this build that the processor has.
std::string simd_target();

// float32 elements of one vector there: 16, 8 or 4.
std::int64_t simd_lanes();

}  // namespace convoy::kernels::cpu
