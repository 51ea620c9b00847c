// The order of errors that the literature gives for Winograd's algorithms, in every direction, from fixed
// data: F(2x2,3x3) no worse than direct, F(4x4,3x3) about one order above, F(6x6,3x3) above that.
#include <gtest/gtest.h>

#include <map>

#include "bench/conv_errors/errors.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::bench {
namespace {

using kernels::Pass;

class Ordering : public testing::TestWithParam<std::tuple<Pass, std::string>> {
 protected:
  void SetUp() override {
    if (kernels::cpu::simd_lanes() < 8) GTEST_SKIP() << "needs AVX2";
    const auto& [pass, layer] = GetParam();
    for (const LayerError& row : layer_errors(layer, pass)) errors_[row.algorithm] = row;
    ASSERT_EQ(errors_.size(), kErrorAlgorithms.size());
  }

  double rms(const char* algorithm) const { return errors_.at(algorithm).rms; }

  std::map<std::string, LayerError> errors_;
};

TEST_P(Ordering, OfTheLiterature) {
  for (const auto& [name, row] : errors_) {
    EXPECT_GT(row.rms, 3e-8) << name << ": less than the rounding of the result";
    EXPECT_LT(row.largest, 1e-4) << name;
    EXPECT_LE(row.share_of_bound, 1) << name;
  }
  EXPECT_LE(rms("winograd:f2"), 1.05 * rms("direct"));
  EXPECT_GE(rms("winograd:f4"), 2 * rms("direct"));
  EXPECT_GE(rms("winograd:f4"), 3 * rms("winograd:f2"));
  EXPECT_LE(rms("winograd:f4"), 20 * rms("winograd:f2"));
  EXPECT_GT(rms("winograd:f6"), rms("winograd:f4"));
  EXPECT_LE(rms("fft"), rms("winograd:f4"));
}

INSTANTIATE_TEST_SUITE_P(Layers, Ordering,
                         testing::Combine(testing::Values(Pass::forward, Pass::backward_data,
                                                          Pass::backward_weights),
                                          testing::ValuesIn(kErrorLayers)));

}  // namespace
}  // namespace convoy::bench
