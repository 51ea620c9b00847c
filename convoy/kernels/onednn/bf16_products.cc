#include "convoy/kernels/bf16.h"

#include "oneapi/dnnl/dnnl.hpp"

namespace convoy::kernels {

base::Verdict check_bf16_products() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  constexpr auto kBf16 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  if ((isa & kBf16) == kBf16) return {};
  return base::Reason{
      "bf16 needs a processor with avx512_bf16, which this one lacks or ONEDNN_MAX_CPU_ISA hides"};
}

}  // namespace convoy::kernels
