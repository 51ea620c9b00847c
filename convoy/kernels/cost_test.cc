#include "convoy/kernels/cost.h"

#include <gtest/gtest.h>

#include "convoy/kernels/catalog.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/layers/catalog.h"

namespace convoy::kernels {
namespace {

TestCase gemm() {
  return {.kind = &layers::kGemm, .attributes = {{"output_features", std::int64_t{10}}}, .inputs = {{4, 8}}};
}

TEST(Cost, CountsBytesAndOperations) {
  Problem problem = gemm().problem();
  EXPECT_EQ(moved_bytes(problem), 4 * (4 * 8 + 4 * 10 + 80 + 10));
  EXPECT_EQ(pass_flops(problem), 2 * 4 * 8 * 10 + 4 * 10);
  problem.pass = Pass::backward_data;
  EXPECT_EQ(pass_flops(problem), 2 * 4 * 8 * 10);
  problem.pass = Pass::backward_weights;  // and the sum of the bias's gradient
  EXPECT_EQ(pass_flops(problem), 2 * 4 * 8 * 10 + 4 * 10);
}

TEST(Cost, CountsBothBackwardPassesTogether) {
  const TestCase norm = {.kind = &layers::kBatchNormalization, .attributes = {}, .inputs = {{4, 3, 2, 2}}};
  Problem problem = norm.problem();
  EXPECT_EQ(pass_flops(problem), 6 * 48);
  problem.pass = Pass::backward;
  EXPECT_EQ(pass_flops(problem), 9 * 48);
}

TEST(Cost, RooflineIsTheLargerOfComputeAndMemory) {
  const Problem problem = gemm().problem();
  machine::Machine machine{.f32_flops = 1e9, .memory_bandwidth = 1e30, .cache_bandwidth = 1e30};
  EXPECT_DOUBLE_EQ(roofline_seconds(problem, machine, 0.5), machine.dispatch_seconds + 680 / 0.5e9);
  machine.cache_bandwidth = 1e6;
  EXPECT_DOUBLE_EQ(roofline_seconds(problem, machine, 0.5), machine.dispatch_seconds + 648 / 1e6);
  machine.cache_bytes = 100;  // beyond the cache: memory's bandwidth counts
  machine.memory_bandwidth = 1e5;
  EXPECT_DOUBLE_EQ(roofline_seconds(problem, machine, 0.5), machine.dispatch_seconds + 648 / 1e5);
}

TEST(Cost, TheReferenceIsPredictedSlowest) {
  TestCase large = gemm();
  large.inputs = {{128, 1024}};
  const double fast = find(catalog(), "Gemm", "onednn")->seconds(large.problem(), {});
  EXPECT_LT(fast, find(catalog(), "Gemm", "reference")->seconds(large.problem(), {}));
}

TEST(Families, NamesParseBack) {
  for (const LayoutFamily family : {LayoutFamily::plain, LayoutFamily::channels_last, LayoutFamily::blocked})
    EXPECT_EQ(parse_layout_family(name(family)).value(), family);
  EXPECT_FALSE(parse_layout_family("nchw").ok());
  EXPECT_EQ(gemm().problem().str().substr(0, 23), "Gemm forward 4x8 -> 4x1");
}

}  // namespace
}  // namespace convoy::kernels
