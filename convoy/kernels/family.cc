#include "convoy/kernels/family.h"

#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/layout_map.h"

namespace convoy::kernels {

std::int64_t family_block() { return cpu::simd_lanes() >= 16 ? 16 : 8; }

Layout family_layout(int rank, LayoutFamily family) {
  if (family == LayoutFamily::plain || rank < 3) return Layout::plain();
  std::string tag = family == LayoutFamily::batch_blocked ? "A" : "a";
  if (family != LayoutFamily::channels_last) tag += family == LayoutFamily::blocked ? "B" : "b";
  for (int d = 2; d < rank; ++d) tag += static_cast<char>('a' + d);
  if (family == LayoutFamily::channels_last) return Layout::parse(tag + "b", rank).value();
  tag += std::to_string(family_block());
  tag += family == LayoutFamily::blocked ? "b" : "a";
  return Layout::parse(tag, rank).value();
}

Layout activation_layout(const tensor::Shape& shape, LayoutFamily family) {
  return canonical(shape, family_layout(shape.rank(), family));
}

}  // namespace convoy::kernels
