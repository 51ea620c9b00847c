// Arrays turned so that samples, or other things that are treated alike, lie innermost: vectors of them.
#pragma once

#include <cstdint>

namespace convoy::kernels::cpu {

// `samples` runs of `rows` floats, `stride` apart, and the same as {rows, row}: row() floats a row, those
// beyond the samples zero.
struct Turn {
  std::int64_t samples = 0;
  std::int64_t rows = 0;
  std::int64_t stride = 0;

  std::int64_t row() const;  // samples, rounded up to whole vectors
};

// Both run on the compute team, and write all of `to` but, outside, the gaps between runs.
void turn_in(const Turn& turn, const float* from, float* to) noexcept;
void turn_out(const Turn& turn, const float* from, float* to) noexcept;

}  // namespace convoy::kernels::cpu
