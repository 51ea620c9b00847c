// im2col beyond the conformance suite: every instruction set, sizes that reach every loop, both entries.
#include <gtest/gtest.h>

#include "convoy/base/rng.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_lowering.h"
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
  Ints window;
  Ints strides = {}, pads = {}, dilations = {};
  std::int64_t groups = 1;
};

TestCase test_case(const Case& c) {
  const std::size_t rank = c.window.size();
  const auto or_default = [](const Ints& given, std::size_t size, std::int64_t value) {
    return given.empty() ? Ints(size, value) : given;
  };
  return {.kind = &layers::kConv,
          .attributes = {{"output_channels", c.k},
                         {"kernel_shape", c.window},
                         {"strides", or_default(c.strides, rank, 1)},
                         {"pads", or_default(c.pads, 2 * rank, 0)},
                         {"dilations", or_default(c.dilations, rank, 1)},
                         {"group", c.groups}},
          .inputs = {c.x},
          .family = LayoutFamily::blocked};
}

// Both entries in every pass, with data, epilogues and one to three threads by turns.
void expect_sound(const Case& c) {
  TestCase test = test_case(c);
  for (const KernelEntry& entry : {conv_im2col_entry(), conv_im2col_implicit_entry()})
    for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights}) {
      test.pass = pass;
      test.data = test.seed % 2 == 0 ? TestData::reals : TestData::small_integers;
      test.threads = 1 + static_cast<int>(test.seed++ % 3);
      test.epilogue = pass == Pass::forward && entry.name == "im2col" ? Epilogue::relu : Epilogue::none;
      base::set_thread_count(test.threads);
      const base::Verdict verdict = entry.supports(test.problem());
      ASSERT_TRUE(verdict.ok()) << test.str() << ": " << verdict.reason().text;
      const auto fault = find_fault(entry, test);
      EXPECT_FALSE(fault.has_value()) << entry.name << ' ' << test.str() << ": " << fault.value_or("");
    }
  base::set_thread_count(1);
}

TEST(ConvIm2col, OneByOne) {
  on_each_instruction_set([] {
    expect_sound({.x = {3, 40, 7, 7}, .k = 70, .window = {1, 1}});
    expect_sound({.x = {2, 300, 9, 10}, .k = 33, .window = {1, 1}});
    expect_sound({.x = {2, 24, 30, 31}, .k = 48, .window = {1, 1}});
    expect_sound({.x = {2, 20, 9, 8}, .k = 40, .window = {1, 1}, .strides = {2, 2}});
    expect_sound({.x = {2, 20, 9, 8}, .k = 40, .window = {1, 1}, .strides = {3, 2}, .pads = {1, 0, 0, 1}});
  });
}

// Most outputs are bias: the others are gathered from all images.
TEST(ConvIm2col, OneByOneInAFrameOfPadding) {
  on_each_instruction_set([] {
    expect_sound({.x = {8, 40, 7, 7}, .k = 36, .window = {1, 1}, .strides = {2, 2}, .pads = {3, 3, 3, 3}});
    expect_sound({.x = {5, 300, 13, 12}, .k = 20, .window = {1, 1}, .pads = {0, 2, 1, 0}});
    expect_sound({.x = {3, 17, 5, 4}, .k = 50, .window = {1, 1}, .strides = {1, 3}, .pads = {2, 0, 0, 0}});
    expect_sound({.x = {1, 20, 21, 20}, .k = 16, .window = {1, 1}, .pads = {1, 1, 1, 1}});
    expect_sound({.x = {2, 20, 9}, .k = 33, .window = {1}, .strides = {2}, .pads = {5, 4}});
    expect_sound({.x = {4, 64, 5, 6}, .k = 96, .window = {1, 1}, .pads = {1, 0, 2, 3}, .groups = 2});
    expect_sound({.x = {2, 54, 4, 4}, .k = 33, .window = {1, 1}, .pads = {1, 1, 1, 1}, .groups = 3});
    // No output meets the image.
    expect_sound({.x = {2, 16, 1, 1}, .k = 16, .window = {1, 1}, .strides = {4, 4}, .pads = {1, 1, 1, 1}});
  });
}

TEST(ConvIm2col, FiltersStridesDilationsAndPads) {
  on_each_instruction_set([] {
    expect_sound({.x = {2, 20, 13, 12}, .k = 35, .window = {3, 3}, .pads = {1, 1, 1, 1}});
    expect_sound({.x = {1, 150, 14, 15}, .k = 20, .window = {3, 3}, .pads = {1, 1, 1, 1}});
    expect_sound({.x = {2, 17, 14, 11}, .k = 16, .window = {3, 5}, .strides = {2, 3}, .pads = {0, 3, 2, 1}});
    expect_sound({.x = {2, 32, 17, 9}, .k = 9, .window = {3, 2}, .pads = {2, 1, 0, 1}, .dilations = {3, 2}});
    expect_sound({.x = {1, 33, 11, 19},
                  .k = 40,
                  .window = {3, 3},
                  .strides = {2, 2},
                  .pads = {2, 2, 2, 2},
                  .dilations = {2, 3}});
    // One phase of backward_data has all taps, the others have none; the maps are cut.
    expect_sound({.x = {1, 16, 60, 60},
                  .k = 16,
                  .window = {3, 3},
                  .strides = {2, 2},
                  .pads = {2, 2, 2, 2},
                  .dilations = {2, 2}});
    expect_sound({.x = {2, 16, 5, 5}, .k = 17, .window = {5, 5}});
    expect_sound({.x = {2, 18, 40}, .k = 21, .window = {7}, .strides = {2}, .pads = {3, 2}});
  });
}

TEST(ConvIm2col, FewInputChannels) {
  on_each_instruction_set([] {
    expect_sound({.x = {2, 3, 33, 35}, .k = 40, .window = {7, 7}, .strides = {2, 2}, .pads = {3, 3, 3, 3}});
    expect_sound({.x = {2, 3, 50, 51}, .k = 20, .window = {11, 11}, .strides = {4, 4}, .pads = {2, 2, 2, 2}});
    expect_sound({.x = {5, 1, 28, 28}, .k = 6, .window = {5, 5}, .pads = {2, 2, 2, 2}});
    expect_sound({.x = {3, 6, 14, 14}, .k = 16, .window = {5, 5}});
    expect_sound({.x = {2, 5, 9, 4}, .k = 33, .window = {3, 3}, .pads = {1, 2, 1, 2}, .dilations = {2, 2}});
    expect_sound({.x = {2, 2, 60}, .k = 4, .window = {9}, .strides = {3}, .pads = {8, 1}});
  });
}

TEST(ConvIm2col, Groups) {
  on_each_instruction_set([] {
    expect_sound({.x = {2, 32, 9, 9}, .k = 64, .window = {3, 3}, .pads = {1, 1, 1, 1}, .groups = 2});
    expect_sound({.x = {2, 40, 7, 9}, .k = 20, .window = {3, 3}, .pads = {1, 1, 1, 1}, .groups = 2});
    expect_sound({.x = {2, 18, 7, 9}, .k = 36, .window = {3, 2}, .strides = {2, 1}, .groups = 3});
    expect_sound({.x = {2, 19, 8, 8}, .k = 19, .window = {3, 3}, .pads = {1, 1, 1, 1}, .groups = 19});
    expect_sound({.x = {2, 5, 8, 8}, .k = 10, .window = {3, 3}, .strides = {2, 2}, .groups = 5});
  });
}

// The matrix of raise_block is the transpose of lower_blocks': <lower x, y> = <x, raise y>, exactly on
// integers.
TEST(ConvLowering, RaisingIsTheTransposeOfLowering) {
  on_each_instruction_set([] {
    const std::int64_t lanes = simd_lanes();
    const Lowering l{.source_h = 7,
                     .source_w = 6,
                     .grid_h = 4,
                     .grid_w = 5,
                     .stride_h = 2,
                     .stride_w = 1,
                     .taps = {{-1, -1}, {-1, 0}, {1, 2}, {2, -3}}};
    base::RandomStream random(5, base::Purpose::test, 1, 0);
    tensor::Tensor x(tensor::DType::f32, {l.source_pixels() * lanes}),
        y(tensor::DType::f32, {4 * l.pixels() * lanes});
    tensor::Tensor lowered = y.clone(), raised = x.clone();
    for (float& value : x.as<float>()) value = static_cast<float>(random.below(9)) - 4;
    for (float& value : y.as<float>()) value = static_cast<float>(random.below(9)) - 4;
    const std::int64_t stride = l.pixels() * lanes;
    lower_blocks(l, x.as<float>().data(), {.entries = 4, .pixels = l.pixels(), .stride = stride},
                 lowered.as<float>().data());
    raise_block(l, y.as<float>().data(), stride, raised.as<float>().data());
    double left = 0, right = 0;
    for (std::size_t i = 0; i < y.as<float>().size(); ++i)
      left += static_cast<double>(lowered.as<float>()[i]) * static_cast<double>(y.as<float>()[i]);
    for (std::size_t i = 0; i < x.as<float>().size(); ++i)
      right += static_cast<double>(x.as<float>()[i]) * static_cast<double>(raised.as<float>()[i]);
    EXPECT_EQ(left, right);
    EXPECT_NE(left, 0);
  });
}

// Explicit lowering pays with memory, implicit does not; an identity needs none in either.
TEST(ConvIm2col, TheWorkspaceIsWhatTheAlgorithmMeans) {
  on_each_instruction_set([] {
    base::set_thread_count(1);
    const Problem large =
        test_case({.x = {4, 64, 56, 56}, .k = 64, .window = {3, 3}, .pads = {1, 1, 1, 1}}).problem();
    EXPECT_EQ(conv_im2col_entry().make(large)->traits().workspace_bytes, std::int64_t{64} * 9 * 56 * 56 * 4);
    EXPECT_LE(conv_im2col_implicit_entry().make(large)->traits().workspace_bytes, 1 << 20);
    const Problem identity = test_case({.x = {4, 64, 56, 56}, .k = 64, .window = {1, 1}}).problem();
    EXPECT_EQ(conv_im2col_entry().make(identity)->traits().workspace_bytes, 0);
    EXPECT_EQ(conv_im2col_implicit_entry().make(identity)->traits().workspace_bytes, 0);
    // 3 x 3 of 7 x 7 outputs: a column of 8 x 9 pixels by 256 steps, 8 x 9 results, a row of the frame.
    const Problem framed =
        test_case({.x = {8, 512, 7, 7}, .k = 64, .window = {1, 1}, .strides = {2, 2}, .pads = {3, 3, 3, 3}})
            .problem();
    EXPECT_EQ(conv_im2col_implicit_entry().make(framed)->traits().workspace_bytes,
              4 * (72 * 256 + 72 * 64 + 7 * simd_lanes()));
    EXPECT_LT(5 * conv_im2col_implicit_entry().seconds(framed, {}) - 5 * machine::Machine{}.dispatch_seconds,
              6 * conv_im2col_entry().seconds(framed, {}));
  });
}

}  // namespace
}  // namespace convoy::kernels::cpu
