// Here, because the block is the one that oneDNN's implementations for this processor take.
#include "convoy/kernels/family.h"

#include "convoy/kernels/layout_map.h"
#include "oneapi/dnnl/dnnl.hpp"

namespace convoy::kernels {

Layout family_layout(int rank, LayoutFamily family) {
  if (family == LayoutFamily::plain || rank < 3) return Layout::plain();
  const bool blocked = family == LayoutFamily::blocked;
  std::string tag = blocked ? "aB" : "a";
  for (int d = 2; d < rank; ++d) tag += static_cast<char>('a' + d);
  const bool wide = dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core;
  return Layout::parse(tag + (!blocked ? "b" : wide ? "16b" : "8b"), rank).value();
}

Layout activation_layout(const tensor::Shape& shape, LayoutFamily family) {
  return canonical(shape, family_layout(shape.rank(), family));
}

}  // namespace convoy::kernels
