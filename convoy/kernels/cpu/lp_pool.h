// What the vectorised loops of lp_pool.cc need of its windows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace convoy::kernels::cpu {

// The pixels under each window that are inside the image; `row` floats lie between a pixel and the next.
struct PoolTaps {
  std::vector<std::int32_t> offsets;  // of all windows, one after the other
  std::vector<std::size_t> begins;    // of each window in offsets, and the end
  std::int64_t pixels = 0;
  std::int64_t row = 0;

  std::int64_t outputs() const { return static_cast<std::int64_t>(begins.size()) - 1; }
  std::span<const std::int32_t> of(std::int64_t output) const {
    const std::size_t begin = begins[static_cast<std::size_t>(output)];
    return {offsets.data() + begin, begins[static_cast<std::size_t>(output) + 1] - begin};
  }
};

}  // namespace convoy::kernels::cpu
