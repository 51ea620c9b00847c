// Pretended times by which plans come out in bf16, or in float32, whatever the machine's speed. For tests
// only.
#pragma once

#include "convoy/plan/timings.h"

namespace convoy::testing {

// Kernels on one of the two types take no time, all others an hour.
class Bf16Timings final : public plan::Timings {
 public:
  explicit Bf16Timings(bool bf16_is_fast = true) : bf16_is_fast_(bf16_is_fast) {}

  std::optional<double> seconds(const kernels::Problem& problem, std::string_view, int) const override {
    return (problem.type == tensor::DType::bf16) == bf16_is_fast_ ? 1e-6 : 3600;
  }

 private:
  bool bf16_is_fast_;
};

}  // namespace convoy::testing
