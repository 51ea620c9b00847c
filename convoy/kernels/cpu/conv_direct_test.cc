// The direct convolution beyond what conformance_test.cc covers: long sums, wide rows, every form of
// channels, on AVX2 as on AVX-512.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_direct_axis.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/layers/catalog.h"

namespace convoy::kernels::cpu {
namespace {

using Ints = std::vector<std::int64_t>;

struct Shape {
  const char* what;
  std::int64_t n, c, h, w, k, r, s;
  std::int64_t stride = 1;
  Ints pads = {0, 0, 0, 0};
  std::int64_t dilation = 1, groups = 1;
};

// Products are few, so that the reference is fast; the loops that are reached are all of them.
const Shape kShapes[] = {
    {"tiles and the rest of a row", 1, 40, 4, 33, 48, 3, 3, 1, {1, 1, 1, 1}},
    {"1x1 across the ends of rows", 2, 33, 7, 7, 40, 1, 1},
    {"1x1 of many tiles", 1, 17, 20, 29, 32, 1, 1},
    {"1x1, stride 2", 1, 32, 9, 15, 33, 1, 1, 2},
    {"1x1 with padding", 1, 20, 5, 6, 16, 1, 1, 1, {1, 0, 2, 1}},
    {"chunks of input channels", 1, 400, 3, 5, 40, 3, 3, 1, {1, 1, 1, 1}},
    {"chunks of input channels, strided", 1, 400, 5, 5, 40, 3, 3, 2, {1, 1, 1, 1}},
    {"chunks of filter rows", 1, 33, 18, 16, 33, 14, 14, 1, {6, 6, 7, 7}},
    {"chunks of filter rows, strided", 1, 32, 18, 17, 32, 20, 20, 2, {9, 9, 9, 9}},
    {"an image", 1, 3, 17, 40, 24, 7, 7, 2, {3, 3, 3, 3}},
    {"an image, stride 4", 2, 3, 23, 41, 17, 11, 11, 4, {2, 2, 2, 2}},
    {"an image, stride 3, dilated", 1, 4, 17, 31, 16, 3, 3, 3, {1, 2, 0, 1}, 2},
    {"a grey image", 3, 1, 12, 19, 6, 5, 5, 1, {2, 2, 2, 2}},
    {"stride 2", 1, 20, 11, 30, 36, 3, 3, 2, {1, 1, 1, 1}},
    {"stride 3", 1, 18, 11, 25, 20, 5, 5, 3, {2, 1, 2, 1}},
    {"stride 4 above the filter", 1, 18, 12, 21, 20, 3, 3, 4},
    {"stride and dilation share a factor", 1, 18, 14, 21, 20, 3, 3, 4, {2, 2, 2, 2}, 2},
    {"stride and dilation are coprime", 1, 18, 14, 21, 20, 3, 3, 3, {2, 2, 2, 2}, 2},
    {"dilation beyond the border", 1, 18, 5, 6, 20, 3, 3, 1, {4, 4, 4, 4}, 4},
    {"padding beyond the filter", 1, 17, 3, 3, 18, 2, 2, 1, {3, 3, 3, 3}},
    {"inputs that no output reads", 2, 18, 1, 1, 20, 1, 1, 2, {1, 1, 0, 0}},
    {"rows that no output reads", 1, 18, 1, 30, 20, 1, 1, 2, {1, 0, 0, 0}},
    {"groups of whole blocks", 1, 64, 5, 6, 96, 3, 3, 1, {1, 1, 1, 1}, 1, 2},
    {"groups of whole blocks, strided", 1, 96, 7, 6, 48, 3, 3, 2, {1, 1, 1, 1}, 1, 3},
    {"many groups of 4", 1, 64, 5, 6, 64, 3, 3, 1, {1, 1, 1, 1}, 1, 16},
    {"groups that share blocks", 1, 36, 5, 6, 60, 3, 3, 2, {1, 1, 1, 1}, 1, 3},
    {"groups of unlike sizes", 1, 72, 5, 6, 6, 3, 3, 1, {1, 1, 1, 1}, 1, 3},
    {"depthwise", 2, 37, 6, 31, 37, 3, 3, 1, {1, 1, 1, 1}, 1, 37},
    {"depthwise, strided", 1, 35, 9, 31, 35, 5, 5, 2, {2, 2, 2, 2}, 1, 35},
    {"depthwise, dilated", 1, 19, 9, 20, 19, 3, 3, 1, {2, 2, 2, 2}, 2, 19},
    {"two filters a channel", 1, 20, 6, 7, 40, 3, 3, 1, {1, 1, 1, 1}, 1, 20},
};

TestCase test_case(const Shape& s) {
  return {.kind = layers::find("Conv"),
          .attributes = {{"output_channels", s.k},
                         {"kernel_shape", Ints{s.r, s.s}},
                         {"strides", Ints{s.stride, s.stride}},
                         {"pads", s.pads},
                         {"dilations", Ints{s.dilation, s.dilation}},
                         {"group", s.groups}},
          .inputs = {{s.n, s.c, s.h, s.w}},
          .family = LayoutFamily::blocked};
}

void expect_no_fault(const TestCase& test, const char* what) {
  const KernelEntry entry = conv_direct_entry();
  const base::Verdict verdict = entry.supports(test.problem());
  ASSERT_TRUE(verdict.ok()) << what << ": " << verdict.reason().text;
  const auto fault = find_fault(entry, test);
  EXPECT_FALSE(fault.has_value()) << what << ", " << simd_target() << ", " << test.str() << ": " << *fault;
  const double seconds = entry.seconds(test.problem(), {});
  EXPECT_GT(seconds, 0) << what;
  EXPECT_LT(seconds, 1) << what;
}

void expect_no_fault_in_either_pass(const Shape& shape, int threads) {
  TestCase test = test_case(shape);
  test.threads = threads;
  test.seed = 10;
  for (const TestData data : {TestData::reals, TestData::small_integers}) {
    test.data = data;
    test.pass = Pass::forward;
    test.training = data == TestData::reals;
    test.epilogue = data == TestData::reals ? Epilogue::none : Epilogue::relu;
    expect_no_fault(test, shape.what);
    test.pass = Pass::backward_data;
    test.training = true;
    test.epilogue = Epilogue::none;
    expect_no_fault(test, shape.what);
  }
}

TEST(ConvDirect, EveryFormOnEveryInstructionSet) {
  on_each_instruction_set([] {
    int index = 0;
    for (const Shape& shape : kShapes) expect_no_fault_in_either_pass(shape, index++ % 4 == 0 ? 2 : 1);
  });
}

TEST(ConvDirect, SumsOneDimension) {
  on_each_instruction_set([] {
    TestCase test{.kind = layers::find("Conv"),
                  .attributes = {{"output_channels", std::int64_t{20}},
                                 {"kernel_shape", Ints{5}},
                                 {"strides", Ints{2}},
                                 {"pads", Ints{2, 1}}},
                  .inputs = {{2, 18, 40}},
                  .family = LayoutFamily::blocked};
    expect_no_fault(test, "forward");
    test.pass = Pass::backward_data;
    expect_no_fault(test, "backward_data");
  });
}

TEST(ConvDirect, RefusesWithAReason) {
  on_each_instruction_set([] {
    const KernelEntry entry = conv_direct_entry();
    for (const LayoutFamily family :
         {LayoutFamily::plain, LayoutFamily::channels_last, LayoutFamily::batch_blocked}) {
      TestCase test = test_case(kShapes[0]);
      test.family = family;
      const base::Verdict verdict = entry.supports(test.problem());
      ASSERT_FALSE(verdict.ok());
      EXPECT_NE(verdict.reason().text.find(name(family)), std::string::npos) << verdict.reason().text;
    }
    Problem problem = test_case(kShapes[0]).problem();
    problem.type = tensor::DType::f64;
    EXPECT_FALSE(entry.supports(problem).ok());
    TestCase volume = test_case(kShapes[0]);
    volume.attributes = {{"output_channels", std::int64_t{4}}, {"kernel_shape", Ints{3, 3, 3}}};
    volume.inputs = {{1, 2, 5, 5, 5}};
    EXPECT_FALSE(entry.supports(volume.problem()).ok());
  });
}

// The kernel reads no more than it says: neither forward array is needed for the gradient of the input.
TEST(ConvDirect, StatesWhatItReadsAndKeeps) {
  on_each_instruction_set([] {
    const KernelEntry entry = conv_direct_entry();
    TestCase test = test_case(kShapes[0]);
    const auto forward = entry.make(test.problem());
    EXPECT_EQ(forward->traits().workspace_bytes, 0);
    EXPECT_EQ(forward->traits().derived_bytes, 0);
    test = test_case({"", 1, 36, 5, 6, 60, 3, 3, 1, {1, 1, 1, 1}, 1, 3});
    EXPECT_GT(entry.make(test.problem())->traits().workspace_bytes, 0);
    test.training = false;
    EXPECT_EQ(entry.make(test.problem())->traits().workspace_bytes, 0);
    EXPECT_GT(entry.make(test.problem())->traits().derived_bytes, 0);
  });
}

// Every axis of a small world: sizes 1-9, filters 1-4, strides 1-4, dilations 1-3, uneven padding.
template <class Visit>
void for_each_axis_geometry(const Visit& visit) {
  for (std::int64_t input = 1; input <= 9; ++input)
    for (std::int64_t kernel = 1; kernel <= 4; ++kernel)
      for (std::int64_t stride = 1; stride <= 4; ++stride)
        for (std::int64_t dilation = 1; dilation <= 3; ++dilation)
          for (std::int64_t pad = 0; pad <= 4; ++pad) {
            const std::int64_t padded = input + pad + pad / 2 - dilation * (kernel - 1) - 1;
            if (padded >= 0) visit(AxisGeometry{input, padded / stride + 1, kernel, stride, pad, dilation});
          }
}

// (output of the axis, filter position, input of the axis) of every product.
using Products = std::multiset<std::array<std::int64_t, 3>>;

Products products_of(const std::vector<Axis>& axes, std::int64_t widest) {
  Products products;
  for (const Axis& axis : axes) {
    const auto add = [&](std::int64_t i, std::int64_t j) {
      products.insert(
          {axis.first + i * axis.out_step, axis.tap_first + j * axis.tap_step, axis.input_of(i, j)});
    };
    for (const TileStep& step : tile_steps(axis, widest)) {
      EXPECT_LE(step.width, widest);
      for (std::int64_t i = step.begin; i < step.begin + step.width * step.runs; ++i)
        for (std::int64_t j = step.tap; j < step.tap + step.taps; ++j) add(i, j);
      for (const TilePart& part : step.parts) {
        EXPECT_LT(part.width, step.width);
        for (std::int64_t i = part.begin; i < part.begin + part.width; ++i)
          for (std::int64_t j = part.tap; j < part.tap + part.taps; ++j) add(i, j);
      }
    }
  }
  return products;
}

TEST(ConvDirectAxis, TilesMultiplyEveryPairOnceAndNoZero) {
  for_each_axis_geometry([](const AxisGeometry& g) {
    Products forward, backward;
    for (std::int64_t p = 0; p < g.output; ++p)
      for (std::int64_t r = 0; r < g.kernel; ++r) {
        const std::int64_t h = p * g.stride - g.pad + r * g.dilation;
        if (h < 0 || h >= g.input) continue;
        forward.insert({p, r, h});
        backward.insert({h, r, p});
      }
    for (const std::int64_t widest : {1, 3, 14}) {
      EXPECT_EQ(products_of({forward_axis(g)}, widest), forward);
      EXPECT_EQ(products_of(backward_axes(g), widest), backward);
    }
  });
}

TEST(ConvDirectAxis, TilesCoverEveryOutputOnce) {
  for_each_axis_geometry([](const AxisGeometry& g) {
    for (const Axis& axis : backward_axes(g)) {
      std::int64_t next = 0;
      for (const TileStep& step : tile_steps(axis, 3)) {
        EXPECT_EQ(step.begin, next);
        EXPECT_TRUE(step.parts.empty() || step.runs == 1);
        next += step.width * step.runs;
      }
      EXPECT_EQ(next, axis.count);
    }
  });
}

TEST(ConvDirectAxis, RangesOfTapsAndOutputsAgree) {
  for_each_axis_geometry([](const AxisGeometry& g) {
    const Axis axis = forward_axis(g);
    for (std::int64_t i = 0; i < axis.count; ++i)
      for (std::int64_t j = 0; j < axis.taps; ++j) {
        const base::IndexRange taps = axis.taps_of(i), outputs = axis.outputs_of(j);
        const bool meets = axis.input_of(i, j) >= 0 && axis.input_of(i, j) < axis.in_size;
        EXPECT_EQ(taps.begin <= j && j < taps.end, meets);
        EXPECT_EQ(outputs.begin <= i && i < outputs.end, meets);
      }
  });
}

}  // namespace
}  // namespace convoy::kernels::cpu
