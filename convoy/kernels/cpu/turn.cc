#include "convoy/kernels/cpu/turn.h"

#include <algorithm>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

// Rows that are turned together: 32 of them, 64 samples each, stay in the first cache.
constexpr std::int64_t kTogether = 32;

// Calls body(first row, end) for such parts on the team.
template <class Body>
void for_each_part(std::int64_t rows, Body&& body) {
  base::parallel_for(rows, kTogether, [&](base::IndexRange range) {
    for (std::int64_t first = range.begin; first < range.end; first += kTogether)
      body(first, std::min(range.end, first + kTogether));
  });
}

}  // namespace

std::int64_t Turn::row() const { return (samples + simd_lanes() - 1) / simd_lanes() * simd_lanes(); }

void turn_in(const Turn& turn, const float* from, float* to) noexcept {
  const std::int64_t row = turn.row();
  for_each_part(turn.rows, [&](std::int64_t first, std::int64_t end) {
    for (std::int64_t n = 0; n < turn.samples; ++n)
      for (std::int64_t i = first; i < end; ++i) to[i * row + n] = from[n * turn.stride + i];
    for (std::int64_t i = first; i < end; ++i)
      std::fill(to + i * row + turn.samples, to + (i + 1) * row, 0.0f);
  });
}

void turn_out(const Turn& turn, const float* from, float* to) noexcept {
  const std::int64_t row = turn.row();
  for_each_part(turn.rows, [&](std::int64_t first, std::int64_t end) {
    for (std::int64_t n = 0; n < turn.samples; ++n)
      for (std::int64_t i = first; i < end; ++i) to[n * turn.stride + i] = from[i * row + n];
  });
}

}  // namespace convoy::kernels::cpu
