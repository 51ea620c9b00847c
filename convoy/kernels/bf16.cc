#include "convoy/kernels/bf16.h"

namespace convoy::kernels {

base::Verdict check_narrow_type(const Problem& problem) {
  if (problem.type == tensor::DType::f32 || problem.type == tensor::DType::bf16) return {};
  return base::Reason{base::str("only f32 and bf16, not ", tensor::name(problem.type))};
}

}  // namespace convoy::kernels
