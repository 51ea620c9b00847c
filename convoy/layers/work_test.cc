// Work and depth of each layer against numbers worked out by hand from docs/algorithms.md.
#include <gtest/gtest.h>

#include "convoy/layers/catalog.h"
#include "convoy/layers/net.h"

namespace convoy::layers {
namespace {

using graph::Work;
using Ints = std::vector<std::int64_t>;

Work work_of(const graph::LayerKind& kind, const graph::Attributes& given,
             const std::vector<tensor::Shape>& inputs) {
  const graph::Attributes attributes = graph::complete(given, kind.attributes).value();
  return kind.work(attributes, inputs, kind.infer(attributes, inputs).value());
}

void expect_equal(const Work& found, const Work& wanted) {
  EXPECT_EQ(found.macs, wanted.macs);
  EXPECT_EQ(found.macs_backward, wanted.macs_backward);
  EXPECT_EQ(found.other_flops, wanted.other_flops);
  EXPECT_EQ(found.other_flops_backward, wanted.other_flops_backward);
  EXPECT_EQ(found.depth, wanted.depth);
  EXPECT_EQ(found.depth_backward_data, wanted.depth_backward_data);
  EXPECT_EQ(found.depth_backward_weights, wanted.depth_backward_weights);
}

// N = 4, C = 6 and K = 8 in two groups, 7 x 5 inputs, 3 x 2 taps, 5 x 4 outputs.
TEST(Work, Conv) {
  const std::int64_t y = 4 * 8 * 5 * 4, macs = y * 3 * 6;
  expect_equal(
      work_of(
          kConv,
          {{"output_channels", std::int64_t{8}}, {"kernel_shape", Ints{3, 2}}, {"group", std::int64_t{2}}},
          {{4, 6, 7, 5}}),
      {.macs = macs,
       .macs_backward = 2 * macs,
       .other_flops = y,
       .other_flops_backward = y,
       .depth = 2 + 2 + 1,                     // lg of 3 channels, 3 and 2 taps
       .depth_backward_data = 2 + 2 + 1,       // of 4 channels a group
       .depth_backward_weights = 2 + 3 + 2});  // of 4 samples, 5 x 4 outputs
}

TEST(Work, Gemm) {
  expect_equal(
      work_of(kGemm, {{"output_features", std::int64_t{10}}, {"has_bias", std::int64_t{0}}}, {{4, 9}}),
      {.macs = 360, .macs_backward = 720, .depth = 4, .depth_backward_data = 4, .depth_backward_weights = 2});
}

TEST(Work, Pooling) {
  const graph::Attributes overlapping = {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}};
  expect_equal(work_of(kMaxPool, overlapping, {{1, 2, 7, 7}}),
               {.other_flops = 18 * 9, .other_flops_backward = 18 * 9, .depth = 4, .depth_backward_data = 3});
  const graph::Attributes apart = {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}};
  expect_equal(work_of(kAveragePool, apart, {{1, 2, 4, 4}}),
               {.other_flops = 8 * 4, .other_flops_backward = 8 * 5, .depth = 3, .depth_backward_data = 1});
  expect_equal(work_of(kGlobalAveragePool, {}, {{2, 3, 7, 7}}),
               {.other_flops = 294, .other_flops_backward = 6, .depth = 7, .depth_backward_data = 1});
}

TEST(Work, Normalisation) {
  expect_equal(work_of(kBatchNormalization, {}, {{4, 3, 2, 2}}), {.other_flops = 6 * 48,
                                                                  .other_flops_backward = 9 * 48,
                                                                  .depth = 2 * 4 + 9,
                                                                  .depth_backward_data = 4 + 7,
                                                                  .depth_backward_weights = 4 + 3});
  expect_equal(work_of(kBatchNormalization, {{"statistics_samples", std::int64_t{2}}}, {{4, 3, 2, 2}}),
               {.other_flops = 6 * 48,
                .other_flops_backward = 9 * 48,
                .depth = 2 * 3 + 9,
                .depth_backward_data = 3 + 7,
                .depth_backward_weights = 4 + 3});
  expect_equal(
      work_of(kLrn, {{"size", std::int64_t{5}}}, {{1, 8, 2, 2}}),
      {.other_flops = 9 * 32, .other_flops_backward = 12 * 32, .depth = 7, .depth_backward_data = 7});
}

TEST(Work, ElementByElement) {
  const std::vector<tensor::Shape> x = {{2, 5}};
  const auto each = [](std::int64_t flops, std::int64_t depth, std::int64_t back, std::int64_t back_depth) {
    return Work{.other_flops = 10 * flops,
                .other_flops_backward = 10 * back,
                .depth = depth,
                .depth_backward_data = back_depth};
  };
  expect_equal(work_of(kRelu, {}, x), each(1, 1, 1, 1));
  expect_equal(work_of(kLeakyRelu, {}, x), each(2, 2, 2, 2));
  expect_equal(work_of(kSigmoid, {}, x), each(4, 4, 3, 2));
  expect_equal(work_of(kTanh, {}, x), each(5, 4, 3, 3));
  expect_equal(work_of(kScale, {{"factor", 0.5}}, x), each(1, 1, 1, 1));
  expect_equal(work_of(kDropout, {}, x), each(2, 2, 1, 1));
}

TEST(Work, SumsAndProducts) {
  expect_equal(work_of(kAdd, {}, {{2, 3, 4}, {2, 3, 4}}), {.other_flops = 24, .depth = 1});
  // The smaller input's gradient is summed over 3 x 4 repetitions.
  expect_equal(work_of(kAdd, {}, {{2, 3, 4}, {2, 1, 1}}),
               {.other_flops = 24, .other_flops_backward = 24, .depth = 1, .depth_backward_data = 4});
  expect_equal(work_of(kMul, {}, {{2, 3, 4}, {2, 3, 1}}),
               {.other_flops = 24, .other_flops_backward = 72, .depth = 1, .depth_backward_data = 3});
  expect_equal(work_of(kSum, {}, {{2, 3}, {2, 3}, {2, 3}}), {.other_flops = 12, .depth = 2});
}

TEST(Work, Losses) {
  const std::vector<tensor::Shape> x = {{4, 10}};
  expect_equal(work_of(kSoftmax, {}, x),
               {.other_flops = 200, .other_flops_backward = 160, .depth = 11, .depth_backward_data = 7});
  expect_equal(work_of(kLogSoftmax, {}, x),
               {.other_flops = 204, .other_flops_backward = 160, .depth = 12, .depth_backward_data = 6});
  expect_equal(work_of(kSoftmaxCrossEntropyLoss, {}, {{4, 10}, {4}}),
               {.other_flops = 172, .other_flops_backward = 160, .depth = 15, .depth_backward_data = 4});
  expect_equal(work_of(kMeanSquaredError, {}, {{4, 10}, {4, 10}}),
               {.other_flops = 120, .other_flops_backward = 80, .depth = 9, .depth_backward_data = 2});
}

// N = 4, C = 6, K = 8, 7 x 5 inputs, 3 x 2 taps, 5 x 4 places; then N = 4, C = 3, K = 5, 4 x 4 places of 3
// x 3.
TEST(Work, LocalFields) {
  const std::int64_t y = 4 * 8 * 5 * 4, macs = y * 6 * 3 * 2;
  expect_equal(work_of(kLocallyConnected,
                       {{"output_channels", std::int64_t{8}}, {"kernel_shape", Ints{3, 2}}}, {{4, 6, 7, 5}}),
               {.macs = macs,
                .macs_backward = 2 * macs,
                .other_flops = y,
                .other_flops_backward = y,
                .depth = 3 + 2 + 1,
                .depth_backward_data = 3 + 2 + 1,
                .depth_backward_weights = 2});
  const std::int64_t codes = 4 * 5 * 4 * 4, product = codes * 3 * 3 * 3;
  expect_equal(work_of(kLocallyConnectedAutoencoder,
                       {{"output_channels", std::int64_t{5}}, {"kernel_shape", Ints{3, 3}}}, {{4, 3, 4, 4}}),
               {.macs = 2 * product,
                .macs_backward = 4 * product,
                .other_flops_backward = codes,
                .depth = 6 + 7,
                .depth_backward_data = 6 + 1 + 7,
                .depth_backward_weights = 6 + 1 + 2 + 1});
}

TEST(Work, LayersBehindLocalFields) {
  expect_equal(
      work_of(kLpPool, {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}}, {{1, 2, 7, 7}}),
      {.other_flops = 18 * 19, .other_flops_backward = 18 * 36, .depth = 6, .depth_backward_data = 5});
  // 72 pixels of 3 channels, 25 taps.
  expect_equal(work_of(kLocalContrastNormalization, {}, {{2, 3, 6, 6}}),
               {.other_flops = 4 * 216 + 52 * 72,
                .other_flops_backward = 6 * 216 + 53 * 72,
                .depth = 2 * (2 + 6) + 4,
                .depth_backward_data = 2 * (2 + 6) + 6});
  expect_equal(work_of(kSparsityPenalty, {}, {{4, 10}}),
               {.other_flops = 160, .other_flops_backward = 200, .depth = 10, .depth_backward_data = 5});
}

TEST(Work, Gather) {
  expect_equal(work_of(kGather, {{"indices", Ints{0, 2}}}, {{2, 3, 4}}), {});
  // The first slice twice, once from behind.
  expect_equal(work_of(kGather, {{"indices", Ints{0, 2, -3}}}, {{2, 3, 4}}),
               {.other_flops_backward = 24, .depth_backward_data = 1});
}

TEST(Work, RadialBasis) {
  expect_equal(
      work_of(kRadialBasis, {{"centres", Ints{1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1}}}, {{4, 3}}),
      {.other_flops = 3 * 60,
       .other_flops_backward = 3 * 60 + 12,
       .depth = 2 + 2,
       .depth_backward_data = 3 + 3});
}

TEST(Work, ViewsAndCopiesCostNothing) {
  expect_equal(work_of(kFlatten, {}, {{2, 3, 4}}), {});
  expect_equal(work_of(kConcat, {{"axis", std::int64_t{1}}}, {{2, 3, 4}, {2, 1, 4}}), {});
  expect_equal(work_of(kPad, {{"pads", Ints{0, 0, 1, 0, 0, 1}}}, {{2, 3, 4}}), {});
}

}  // namespace
}  // namespace convoy::layers
