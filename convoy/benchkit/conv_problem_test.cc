#include "convoy/benchkit/conv_problem.h"

#include <gtest/gtest.h>

#include "convoy/kernels/cost.h"

namespace convoy::benchkit {
namespace {

ConvProblem parsed(const std::string& text) {
  const auto problem = ConvProblem::parse(text);
  EXPECT_TRUE(problem.ok()) << problem.reason().text;
  return problem.ok() ? *problem : ConvProblem();
}

TEST(ConvProblems, TextsMeanWhatTheySay) {
  const ConvProblem square = parsed("n32c64h56k128r3s2p1");
  EXPECT_EQ(square, (ConvProblem{.n = 32,
                                 .c = 64,
                                 .h = 56,
                                 .w = 56,
                                 .k = 128,
                                 .r = 3,
                                 .q = 3,
                                 .stride_h = 2,
                                 .stride_w = 2,
                                 .pads = {1, 1, 1, 1}}));
  const ConvProblem odd = parsed("g2n1c4h9w7k6r3q5s2x1p0x3d1x2");
  EXPECT_EQ(odd, (ConvProblem{.n = 1,
                              .c = 4,
                              .h = 9,
                              .w = 7,
                              .k = 6,
                              .r = 3,
                              .q = 5,
                              .stride_h = 2,
                              .stride_w = 1,
                              .pads = {0, 3, 0, 3},
                              .dilation_h = 1,
                              .dilation_w = 2,
                              .groups = 2}));
  EXPECT_EQ(parsed("n1c1h5k1r3p1x2x0x3").pads, (std::array<std::int64_t, 4>{1, 2, 0, 3}));
  EXPECT_EQ(parsed("n1c1h5k1r3").pads, (std::array<std::int64_t, 4>{}));
}

TEST(ConvProblems, PrintsReadBack) {
  for (const char* text : {"n32c64h56k64r3s1p1", "n4c1h161w700k32r5q20s2p0", "n1c4h9w7k6r3q5s2x1p0x3d1x2g2",
                           "n1c1h5k1r3s1p1x2x0x3", "n2c8h9k8r3s1p2d2g8"})
    EXPECT_EQ(parsed(text).str(), text);
  EXPECT_EQ(parsed("r3k64h56c64n32p1s1w56q3g1d1").str(), "n32c64h56k64r3s1p1");
}

TEST(ConvProblems, MistakesAreNamed) {
  const struct {
    const char* text;
    const char* part;
  } mistakes[] = {
      {"", "'n' is missing"},
      {"n1c1h4k1", "'r' is missing"},
      {"n1c1h4k1r3z2", "'z2' begins with none of the letters"},
      {"n1c1h4k1r3 ", "' ' begins with none"},
      {"n1c1h4k1r3r3", "'r' comes twice"},
      {"nc1h4k1r3", "a whole number must follow 'n'"},
      {"n-1c1h4k1r3", "a whole number must follow 'n'"},
      {"n1c1h4k1r3s2x", "a whole number must follow 's…x'"},
      {"n1c1h4k1r3s1x1x1", "'s' takes one or two numbers, not 3"},
      {"n1c1h4k1r3x3", "'r' takes one number, not 2"},
      {"n1c1h4k1r3p1x1x1", "'p' takes one, two or four numbers, not 3"},
      {"n1c1h4k1r3p99999999999999999999", "the number after 'p' is above"},
      {"n0c1h4k1r3", "'n' is 0; it must be 1 to"},
      {"n1c1h4k1r7", "a window of 7 does not fit"},
      {"n1c1h4k1r3s0", "stride"},
      {"n1c3h4k4r3g2", "group 2 does not divide 3 input and 4 output channels"},
      {"n16777216c16777216h9k1r3", "more than 2^38 elements"},
  };
  for (const auto& mistake : mistakes) {
    const auto problem = ConvProblem::parse(mistake.text);
    ASSERT_FALSE(problem.ok()) << mistake.text;
    EXPECT_NE(problem.reason().text.find(mistake.part), std::string::npos)
        << mistake.text << ": " << problem.reason().text;
    EXPECT_EQ(problem.reason().text.find('\n'), std::string::npos);
  }
}

TEST(ConvProblems, BecomeKernelProblems) {
  const ConvProblem problem = parsed("n2c6h9w8k4r3q2s2x1p1x0d1g2");
  for (const auto pass :
       {kernels::Pass::forward, kernels::Pass::backward_data, kernels::Pass::backward_weights}) {
    const kernels::Problem kernel = problem.kernel_problem(pass, kernels::LayoutFamily::blocked, false);
    EXPECT_EQ(kernel.pass, pass);
    EXPECT_EQ(kernel.family, kernels::LayoutFamily::blocked);
    EXPECT_FALSE(kernel.training);
    EXPECT_EQ(kernel.inputs, (std::vector<tensor::Shape>{{2, 6, 9, 8}}));
    ASSERT_EQ(kernel.params.size(), 1u);
    EXPECT_EQ(kernel.params[0].shape, (tensor::Shape{4, 3, 3, 2}));
    EXPECT_EQ(kernel.outputs, (std::vector<tensor::Shape>{{2, 4, 5, 7}}));
    EXPECT_DOUBLE_EQ(problem.flops(), kernels::pass_flops(kernel));
  }
  EXPECT_DOUBLE_EQ(problem.flops(), 2.0 * (2 * 4 * 5 * 7) * (3 * 3 * 2));
  EXPECT_EQ(problem.bytes(), 4 * (2 * 6 * 9 * 8 + 4 * 3 * 3 * 2 + 2 * 4 * 5 * 7));
  EXPECT_TRUE(problem.is_strided());
  EXPECT_FALSE(parsed("n1c1h5k1r3").is_strided());
}

}  // namespace
}  // namespace convoy::benchkit
