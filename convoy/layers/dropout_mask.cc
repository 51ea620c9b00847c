#include "convoy/layers/dropout_mask.h"

#include "convoy/base/check.h"

namespace convoy::layers {

DropoutMask::DropoutMask(const base::StepKey& key, std::int64_t layer_index) {
  CONVOY_CHECK(layer_index >= 0 && layer_index < (std::int64_t{1} << 32), "layer ", layer_index);
  const auto step = static_cast<std::uint64_t>(key.step);
  id_ = base::philox4x32(
      {static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32),
       static_cast<std::uint32_t>(layer_index), static_cast<std::uint32_t>(base::Purpose::dropout)},
      {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)});
}

std::uint32_t DropoutMask::threshold(double ratio) {
  CONVOY_CHECK(ratio >= 0 && ratio < 1, "ratio ", ratio);
  return static_cast<std::uint32_t>(ratio * 0x1p32);
}

}  // namespace convoy::layers
