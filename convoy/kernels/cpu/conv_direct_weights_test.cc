// Direct backward_weights where the catalog's conformance does not reach: shapes that fill units, tasks,
// splits and every register tile.
#include <gtest/gtest.h>

#include "convoy/base/threads.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/conv_direct.h"
#include "convoy/kernels/cpu/conv_direct_weights.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/layers/catalog.h"

namespace convoy::kernels::cpu {
namespace {

using Ints = std::vector<std::int64_t>;

KernelEntry entry() {
  return {.name = "direct",
          .op = "Conv",
          .supports = supports_direct_backward_weights,
          .make = make_direct_backward_weights,
          .seconds = direct_backward_weights_seconds,
          .error_growth = [](const Problem& problem) {
            const tensor::Shape& y = problem.outputs[0];
            return sum_error_growth(static_cast<double>(y[0] * y.count_from(2)));
          }};
}

struct Case {
  tensor::Shape x;
  std::int64_t k = 1;
  Ints window, strides, pads, dilations;
  std::int64_t groups = 1;
};

TestCase test_case(const Case& c) {
  return {.kind = &layers::kConv,
          .attributes = {{"output_channels", c.k},
                         {"kernel_shape", c.window},
                         {"strides", c.strides},
                         {"pads", c.pads},
                         {"dilations", c.dilations},
                         {"group", c.groups}},
          .inputs = {c.x},
          .pass = Pass::backward_weights,
          .family = LayoutFamily::blocked};
}

std::vector<Case> cases() {
  std::vector<Case> all{{{2, 33, 30, 29}, 40, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
                        {{5, 64, 7, 7}, 48, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
                        {{3, 40, 14, 14}, 80, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
                        {{2, 32, 15, 14}, 32, {1, 1}, {2, 2}, {0, 0, 0, 0}, {1, 1}},
                        {{1, 48, 28, 28}, 16, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}},
                        {{1, 16, 20, 23}, 100, {5, 3}, {2, 1}, {3, 0, 1, 2}, {1, 2}},
                        {{2, 17, 6, 6}, 20, {3, 3}, {1, 1}, {4, 4, 4, 4}, {2, 3}},
                        {{2, 3, 67, 65}, 20, {11, 11}, {4, 4}, {2, 2, 2, 2}, {1, 1}},
                        {{2, 3, 49, 50}, 40, {7, 7}, {2, 2}, {3, 3, 3, 3}, {1, 1}},
                        {{1, 1, 28, 28}, 6, {5, 5}, {1, 1}, {2, 2, 2, 2}, {1, 1}},
                        {{1, 7, 19, 21}, 24, {2, 4}, {3, 3}, {1, 0, 0, 3}, {2, 2}},
                        {{2, 5, 12, 12}, 16, {3, 15}, {1, 1}, {1, 7, 1, 7}, {1, 1}},
                        {{4, 64, 9, 9}, 96, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 2},
                        {{3, 40, 17, 16}, 40, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 40},
                        {{2, 20, 19, 18}, 20, {5, 7}, {2, 2}, {2, 3, 2, 3}, {1, 1}, 20},
                        {{2, 18, 9, 9}, 18, {3, 2}, {1, 2}, {3, 5, 3, 5}, {1, 3}, 18},
                        {{2, 64, 40}, 32, {5}, {2}, {2, 2}, {1}},
                        {{2, 2, 40}, 32, {5}, {2}, {2, 2}, {2}},
                        {{2, 20, 41}, 20, {3}, {1}, {1, 1}, {2}, 20},
                        {{1, 300, 8, 8}, 100, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}}};
  return all;
}

void expect_sound() {
  std::uint64_t seed = 1;
  for (const Case& c : cases())
    for (const int threads : {1, 3})
      for (const TestData data : {TestData::reals, TestData::small_integers}) {
        if (threads > 1 && data == TestData::reals) continue;  // only the order of the sums differs
        TestCase test = test_case(c);
        test.threads = threads;
        test.data = data;
        test.seed = ++seed;
        base::set_thread_count(threads);
        ASSERT_TRUE(supports_direct_backward_weights(test.problem()).ok()) << test.str();
        const auto fault = find_fault(entry(), test);
        EXPECT_FALSE(fault.has_value()) << test.str() << ": " << fault.value_or("");
      }
  base::set_thread_count(1);
}

TEST(ConvDirectWeights, AgreesWithTheReferenceOnEveryTile) { on_each_instruction_set(expect_sound); }

TEST(ConvDirectWeights, RefusesWhatItDoesNotServe) {
  on_each_instruction_set([] {
    TestCase test = test_case({{2, 6, 8, 8}, 6, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 2});
    EXPECT_EQ(supports_direct_backward_weights(test.problem()).reason().text.substr(0, 28),
              "groups of 3 to 3 channels do");
    test = test_case(cases()[0]);
    test.family = LayoutFamily::plain;
    EXPECT_FALSE(supports_direct_backward_weights(test.problem()).ok());
    test = test_case(cases()[0]);
    test.pass = Pass::forward;
    EXPECT_FALSE(supports_direct_backward_weights(test.problem()).ok());
  });
}

// Which outputs read the image and not its padding, against the definition.
TEST(ConvDirectWeights, TapRangesHoldExactlyTheOutputsInsideTheImage) {
  for (std::int64_t stride = 1; stride <= 3; ++stride)
    for (std::int64_t pad = 0; pad <= 5; ++pad)
      for (std::int64_t dilation = 1; dilation <= 3; ++dilation)
        for (std::int64_t size = 1; size <= 7; ++size) {
          const TapAxis axis{
              .taps = 4, .stride = stride, .pad = pad, .dilation = dilation, .size = size, .outputs = 5};
          const std::vector<TapRange> ranges = axis.ranges();
          for (std::int64_t tap = 0; tap < 4; ++tap)
            for (std::int64_t o = 0; o < 5; ++o) {
              const std::int64_t at = o * stride - pad + tap * dilation;
              const TapRange range = ranges[static_cast<std::size_t>(tap)];
              EXPECT_EQ(at >= 0 && at < size, o >= range.begin && o < range.end)
                  << stride << ' ' << pad << ' ' << dilation << ' ' << size << ' ' << tap << ' ' << o;
            }
        }
}

}  // namespace
}  // namespace convoy::kernels::cpu
