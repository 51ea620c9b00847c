// The batch-blocked direct convolution where the catalog's conformance does not reach: several blocks of
// samples, every register tile, more threads than tiles.
#include <gtest/gtest.h>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/layers/catalog.h"

namespace convoy::kernels::cpu {
namespace {

using Ints = std::vector<std::int64_t>;

struct Case {
  tensor::Shape x;
  std::int64_t k = 1;
  Ints window, strides, pads, dilations;
  std::int64_t groups = 1;
};

TestCase test_case(const Case& c, Pass pass) {
  return {.kind = &layers::kConv,
          .attributes = {{"output_channels", c.k},
                         {"kernel_shape", c.window},
                         {"strides", c.strides},
                         {"pads", c.pads},
                         {"dilations", c.dilations},
                         {"group", c.groups}},
          .inputs = {c.x},
          .pass = pass,
          .family = LayoutFamily::batch_blocked};
}

std::vector<Case> cases() {
  return {{{20, 1, 28, 28}, 6, {5, 5}, {1, 1}, {2, 2, 2, 2}, {1, 1}},
          {{33, 6, 14, 14}, 16, {5, 5}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
          {{16, 3, 19, 21}, 7, {7, 7}, {2, 3}, {3, 2, 1, 3}, {1, 1}},
          {{8, 2, 23, 24}, 5, {3, 11}, {4, 4}, {2, 2, 2, 2}, {1, 1}},
          {{9, 7, 12, 11}, 11, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
          {{9, 17, 8, 9}, 4, {2, 1}, {2, 2}, {1, 0, 1, 0}, {1, 1}},
          {{17, 4, 13, 12}, 6, {3, 2}, {2, 3}, {2, 3, 2, 3}, {3, 2}, 2},
          {{16, 5, 10, 9}, 5, {3, 3}, {2, 1}, {1, 1, 1, 1}, {1, 1}, 5},
          {{12, 3, 7, 7}, 12, {3, 4}, {1, 1}, {4, 4, 4, 4}, {1, 2}, 3},
          {{10, 9, 6, 6}, 9, {6, 6}, {3, 3}, {0, 0, 0, 0}, {1, 1}},
          {{10, 2, 40}, 8, {5}, {2}, {2, 2}, {2}}};
}

void expect_sound() {
  std::uint64_t seed = 1;
  for (const Case& c : cases())
    for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights})
      for (const int threads : {1, 3})
        for (const TestData data : {TestData::reals, TestData::small_integers}) {
          if (threads > 1 && data == TestData::reals) continue;  // only the order of the sums differs
          TestCase test = test_case(c, pass);
          test.threads = threads;
          test.data = data;
          test.seed = ++seed;
          if (pass == Pass::forward && seed % 2 == 0) test.epilogue = Epilogue::relu;
          base::set_thread_count(threads);
          const KernelEntry entry = conv_direct_batch_entry();
          ASSERT_TRUE(entry.supports(test.problem()).ok()) << test.str();
          const auto fault = find_fault(entry, test);
          EXPECT_FALSE(fault.has_value()) << test.str() << ": " << fault.value_or("");
        }
  base::set_thread_count(1);
}

TEST(ConvDirectBatch, AgreesWithTheReferenceOnEveryTile) { on_each_instruction_set(expect_sound); }

// The catalog's small world has one or two samples, which are refused. Here every problem of C 1-3, K 1-3,
// input 3-6, filter 1-3, stride 1-2, padding 0-1, dilation 1-2, groups 1 or C has half a block of them.
TEST(ConvDirectBatch, TheSmallWorldWithHalfABlockOfSamples) {
  on_each_instruction_set([] {
    const KernelEntry entry = conv_direct_batch_entry();
    const Ints limits{3, 3, 4, 3, 2, 2, 2, 2};
    Ints at(limits.size(), 0);
    const auto next = [&] {
      for (std::size_t d = 0; d < at.size(); ++d) {
        if (++at[d] < limits[d]) return true;
        at[d] = 0;
      }
      return false;
    };
    std::int64_t served = 0;
    do {
      const std::int64_t c = at[0] + 1, k = at[1] + 1, size = at[2] + 3, r = at[3] + 1;
      const std::int64_t stride = at[4] + 1, pad = at[5], dilation = at[6] + 1, groups = at[7] == 0 ? 1 : c;
      if (size + 2 * pad < (r - 1) * dilation + 1 || k % groups != 0 || (at[7] == 1 && c == 1)) continue;
      if (dilation == 2 && r == 1) continue;  // the same problem as dilation 1
      const Case problem{{simd_lanes() / 2, c, size, size + 1},
                         k,
                         {r, r},
                         {stride, stride},
                         Ints(4, pad),
                         {dilation, dilation},
                         groups};
      for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights}) {
        TestCase test = test_case(problem, pass);
        test.seed = static_cast<std::uint64_t>(++served);
        if (pass == Pass::forward && served % 2 == 0) test.epilogue = Epilogue::relu;
        test.data = served % 5 == 0 ? TestData::small_integers : TestData::reals;
        ASSERT_TRUE(entry.supports(test.problem()).ok()) << test.str();
        const auto fault = find_fault(entry, test);
        EXPECT_FALSE(fault.has_value()) << test.str() << ": " << fault.value_or("");
      }
    } while (next());
    EXPECT_GT(served, 2000);
  });
}

TEST(ConvDirectBatch, RefusesSmallBatchesAndOtherLayouts) {
  on_each_instruction_set([] {
    Case small = cases()[0];
    small.x = {simd_lanes() / 2 - 1, 1, 28, 28};
    const KernelEntry entry = conv_direct_batch_entry();
    EXPECT_NE(entry.supports(test_case(small, Pass::forward).problem()).reason().text.find("half a vector"),
              std::string::npos);
    TestCase test = test_case(cases()[0], Pass::forward);
    test.family = LayoutFamily::blocked;
    EXPECT_FALSE(entry.supports(test.problem()).ok());
  });
}

}  // namespace
}  // namespace convoy::kernels::cpu
