// What single layers promise beyond conformance: values, statistics, draws, losses, refusals.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "convoy/layers/catalog.h"
#include "convoy/layers/dropout_mask.h"
#include "convoy/layers/layer_case.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using Ints = std::vector<std::int64_t>;
using Reals = std::vector<double>;
using graph::Attributes;
using graph::AttributeValue;

AttributeValue integer(std::int64_t value) { return value; }

Reals values(const tensor::Tensor& tensor) {
  const auto span = tensor.as<double>();
  return {span.begin(), span.end()};
}

void set(tensor::Tensor& tensor, const Reals& reals) {
  ASSERT_EQ(tensor.as<double>().size(), reals.size());
  std::copy(reals.begin(), reals.end(), tensor.as<double>().begin());
}

// The layer's output for these inputs; parameters as given, in order.
Reals run(const graph::LayerKind& kind, const Attributes& attributes,
          const std::vector<tensor::Shape>& shapes, const std::vector<Reals>& inputs,
          const std::vector<Reals>& params = {}) {
  LayerCase layer(kind, {"", attributes, shapes});
  for (std::size_t i = 0; i < inputs.size(); ++i) set(layer.inputs[i], inputs[i]);
  for (std::size_t i = 0; i < params.size(); ++i) set(layer.params[i], params[i]);
  layer.forward();
  return values(layer.outputs[0]);
}

void expect_near(const Reals& got, const Reals& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], wanted[i], 1e-14 * (1 + std::abs(wanted[i]))) << i;
}

TEST(Values, OfElementwiseLayers) {
  const std::vector<tensor::Shape> shape = {{1, 4}};
  const std::vector<Reals> x = {{-2, -0.0, 0.5, 3}};
  EXPECT_EQ(run(kRelu, {}, shape, x), (Reals{0, 0, 0.5, 3}));
  EXPECT_EQ(run(kLeakyRelu, {{"alpha", 0.25}}, shape, x), (Reals{-0.5, 0, 0.5, 3}));
  expect_near(run(kTanh, {}, shape, x), {std::tanh(-2.0), 0, std::tanh(0.5), std::tanh(3.0)});
  expect_near(run(kSigmoid, {}, shape, x),
              {1 / (1 + std::exp(2.0)), 0.5, 1 / (1 + std::exp(-0.5)), 1 / (1 + std::exp(-3.0))});
  EXPECT_EQ(run(kSigmoid, {}, shape, {{-1000, 1000, 0, -745}})[1], 1.0);  // no overflow on either side
  EXPECT_TRUE(std::isnan(run(kRelu, {}, shape, {{NAN, 0, 0, 0}})[0]));
}

TEST(Values, OfGemmConcatAndBroadcasts) {
  EXPECT_EQ(run(kGemm, {{"output_features", integer(2)}}, {{2, 3}}, {{1, 2, 3, 4, 5, 6}},
                {{1, 0, -1, 2, 1, 0}, {10, 20}}),
            (Reals{8, 24, 8, 33}));
  EXPECT_EQ(run(kConcat, {{"axis", integer(1)}}, {{2, 1}, {2, 2}}, {{1, 2}, {3, 4, 5, 6}}),
            (Reals{1, 3, 4, 2, 5, 6}));
  EXPECT_EQ(run(kAdd, {}, {{1, 2, 2}, {1, 2, 1}}, {{1, 2, 3, 4}, {10, 20}}), (Reals{11, 12, 23, 24}));
  EXPECT_EQ(run(kMul, {}, {{1, 1, 2}, {1, 2, 1}}, {{2, 3}, {5, 7}}), (Reals{10, 15, 14, 21}));
  EXPECT_EQ(run(kSum, {}, {{1, 2}, {1, 2}, {1, 1}}, {{1, 2}, {3, 4}, {10}}), (Reals{14, 16}));
  EXPECT_EQ(run(kReshape, {{"shape", Ints{0, -1, 2}}}, {{1, 6}}, {{1, 2, 3, 4, 5, 6}}),
            (Reals{1, 2, 3, 4, 5, 6}));
}

TEST(Values, OfLayersThatMoveOrScale) {
  EXPECT_EQ(run(kScale, {{"factor", -0.5}}, {{1, 3}}, {{2, 0, -4}}), (Reals{-1, 0, 2}));
  EXPECT_EQ(run(kScale, {{"factor", 0.5}}, {{}}, {{3}}), (Reals{1.5}));
  EXPECT_EQ(run(kPad, {{"pads", Ints{0, 1, 0, 0, 0, 2}}, {"value", 9.0}}, {{1, 1, 2}}, {{1, 2}}),
            (Reals{9, 9, 9, 9, 1, 2, 9, 9}));
  EXPECT_EQ(run(kPad, {{"pads", Ints{0, -1, 0, 1}}}, {{2, 2}}, {{1, 2, 3, 4}}), (Reals{2, 0, 4, 0}));
  EXPECT_EQ(run(kGather, {{"indices", Ints{2, 0, -1}}}, {{1, 3, 2}}, {{1, 2, 3, 4, 5, 6}}),
            (Reals{5, 6, 1, 2, 5, 6}));
  EXPECT_EQ(run(kRadialBasis, {{"centres", Ints{1, -1, 0, 2}}}, {{1, 2}}, {{3, 1}}), (Reals{-8, -10}));
}

TEST(Values, OfLayersOfTheAutoencoder) {
  const Attributes pairs = {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}};
  EXPECT_EQ(run(kLpPool, pairs, {{1, 1, 4}}, {{3, -4, 0, 0}}), (Reals{5, 0}));
  EXPECT_EQ(run(kSparsityPenalty, {{"epsilon", 0.0}}, {{2, 2}}, {{3, -4, 0, 1}}), (Reals{2}));
  EXPECT_EQ(run(kSparsityPenalty, {{"epsilon", 9.0}}, {{1, 2}}, {{4, 0}}), (Reals{4}));
  // Weights {2 places, 1 channel, 2 taps}, biases {1, 2}.
  EXPECT_EQ(run(kLocallyConnected, {{"output_channels", integer(1)}, {"kernel_shape", Ints{2}}}, {{1, 1, 3}},
                {{1, 2, 3}}, {{1, 10, 100, 1000}, {0.5, 0.25}}),
            (Reals{21.5, 3200.25}));
  // Two taps at each of two pixels, the second's second beyond the end: code 1*1 + 2*10, 2*100; back 21*1,
  // 21*10 + 200*100.
  EXPECT_EQ(run(kLocallyConnectedAutoencoder, {{"output_channels", integer(1)}, {"kernel_shape", Ints{2}}},
                {{1, 1, 2}}, {{1, 2}}, {{1, 10, 100, 1000}}),
            (Reals{21, 200, 21, 20'210}));
}

// A constant image has nothing left but what the border's smaller neighbourhoods keep: nothing either.
TEST(Values, OfLocalContrastNormalization) {
  for (const double y : run(kLocalContrastNormalization, {}, {{1, 2, 4, 4}}, {Reals(32, 7.0)}))
    EXPECT_NEAR(y, 0, 1e-12);
  // A window of one pixel: the mean over the channels goes, and what remains has deviation 1.
  expect_near(run(kLocalContrastNormalization, {{"size", integer(1)}}, {{1, 2, 1}}, {{1, 5}}), {-1, 1});
  expect_near(run(kLocalContrastNormalization, {{"size", integer(1)}, {"floor", 4.0}}, {{1, 2, 1}}, {{1, 5}}),
              {-0.5, 0.5});
}

TEST(Values, OfSoftmaxes) {
  const double sum = 1 + std::exp(1.0) + std::exp(2.0);
  const Reals wanted = {1 / sum, std::exp(1.0) / sum, std::exp(2.0) / sum};
  expect_near(run(kSoftmax, {}, {{1, 3}}, {{0, 1, 2}}), wanted);
  expect_near(run(kSoftmax, {}, {{1, 3}}, {{1e4, 1e4 + 1, 1e4 + 2}}),
              wanted);  // shifts cancel, nothing overflows
  expect_near(run(kLogSoftmax, {}, {{1, 3}}, {{0, 1, 2}}),
              {std::log(wanted[0]), std::log(wanted[1]), std::log(wanted[2])});
  const Reals along_1 = run(kSoftmax, {{"axis", integer(1)}}, {{1, 2, 2}}, {{0, 1, 0, 3}});
  expect_near(along_1, {0.5, 1 / (1 + std::exp(2.0)), 0.5, 1 / (1 + std::exp(-2.0))});
}

// s = 1 + 1 * (squares of the two neighbours and itself) with alpha/size = 1.
TEST(Values, OfLrn) {
  const Attributes attributes = {{"size", integer(3)}, {"alpha", 3.0}, {"beta", 1.0}};
  expect_near(run(kLrn, attributes, {{1, 4}}, {{1, 2, 3, 4}}), {1.0 / 6, 2.0 / 15, 3.0 / 30, 4.0 / 26});
  // An even size reaches one channel further up than down.
  const Attributes even = {{"size", integer(2)}, {"alpha", 2.0}, {"beta", 1.0}};
  expect_near(run(kLrn, even, {{1, 3}}, {{1, 2, 3}}), {1.0 / 6, 2.0 / 14, 3.0 / 10});
}

TEST(Losses, AreTheMeanOverTheGlobalMinibatch) {
  LayerCase whole(kSoftmaxCrossEntropyLoss, {"", {}, {{4, 3}, {4}}});
  whole.fill_random(5);
  whole.forward();
  double sum = 0;
  for (std::size_t n = 0; n < 4; ++n) {
    const auto x = whole.inputs[0].as<double>().subspan(n * 3, 3);
    const auto label = static_cast<std::size_t>(whole.inputs[1].as<std::int32_t>()[n]);
    sum -= std::log(std::exp(x[label]) / (std::exp(x[0]) + std::exp(x[1]) + std::exp(x[2])));
  }
  EXPECT_NEAR(whole.outputs[0].as<double>()[0], sum / 4, 1e-14);
  double parts = 0;
  for (std::size_t half = 0; half < 2; ++half) {
    LayerCase part(kSoftmaxCrossEntropyLoss, {"", {}, {{2, 3}, {2}}});
    part.context.global_batch = 4;
    for (std::size_t i = 0; i < 6; ++i)
      part.inputs[0].as<double>()[i] = whole.inputs[0].as<double>()[half * 6 + i];
    for (std::size_t i = 0; i < 2; ++i)
      part.inputs[1].as<std::int32_t>()[i] = whole.inputs[1].as<std::int32_t>()[half * 2 + i];
    part.forward();
    parts += part.outputs[0].as<double>()[0];
  }
  EXPECT_NEAR(parts, sum / 4, 1e-14);
  EXPECT_EQ(run(kMeanSquaredError, {}, {{2, 2}, {2, 2}}, {{1, 2, 3, 4}, {1, 0, 3, 0}}), (Reals{5}));
}

TEST(Losses, StayFiniteForExtremeScores) {
  LayerCase layer(kSoftmaxCrossEntropyLoss, {"", {}, {{1, 2}, {1}}});
  set(layer.inputs[0], {1e5, -1e5});
  layer.inputs[1].as<std::int32_t>()[0] = 1;
  layer.output_gradients[0].as<double>()[0] = 1;
  layer.forward();
  layer.backward();
  EXPECT_EQ(layer.outputs[0].as<double>()[0], 2e5);
  EXPECT_EQ(values(layer.input_gradients[0]), (Reals{1, -1}));
}

TEST(LossesDeathTest, ALabelOutOfRangeIsABug) {
  LayerCase layer(kSoftmaxCrossEntropyLoss, {"", {}, {{1, 2}, {1}}});
  layer.fill_random(1);
  layer.inputs[1].as<std::int32_t>()[0] = 2;
  EXPECT_DEATH(layer.forward(), "label 2 of 2");
}

TEST(BatchNormalization, NormalisesAndFollowsTheStatistics) {
  LayerCase layer(kBatchNormalization, {"", {{"momentum", 0.75}, {"epsilon", 1e-300}}, {{2, 1, 2}}});
  set(layer.inputs[0], {1, 3, 5, 7});
  for (std::size_t i = 0; i < 4; ++i)
    set(layer.params[i], {Reals{2, 10, 8, 4}[i]});  // scale, bias, mean, variance
  layer.forward();
  const double deviation = std::sqrt(5.0);
  expect_near(values(layer.outputs[0]),
              {10 - 6 / deviation, 10 - 2 / deviation, 10 + 2 / deviation, 10 + 6 / deviation});
  EXPECT_DOUBLE_EQ(layer.next_state[2].as<double>()[0], 0.75 * 8 + 0.25 * 4);
  EXPECT_DOUBLE_EQ(layer.next_state[3].as<double>()[0], 0.75 * 4 + 0.25 * 5);  // biased: 20 / 4
  layer.context.training = false;
  layer.forward();
  expect_near(values(layer.outputs[0]), {3, 5, 7, 9});  // (x - 8) / 2 * 2 + 10
}

TEST(BatchNormalization, KeepsGroupsOfSamplesApart) {
  LayerCase grouped(kBatchNormalization, {"", {{"statistics_samples", integer(2)}}, {{5, 3, 2}}});
  grouped.fill_random(7);
  grouped.context.key.first_sample = 1;  // groups end at global samples 1, 3, 5: local 0 | 1 2 | 3 4
  grouped.forward();
  Reals mean(3, 0.0);
  std::size_t first = 0;
  for (const std::int64_t samples : {1, 2, 2}) {
    LayerCase alone(kBatchNormalization, {"", {{"momentum", 0.0}}, {{samples, 3, 2}}});
    for (std::size_t i = 0; i < 4; ++i) set(alone.params[i], values(grouped.params[i]));
    const auto x = grouped.inputs[0].as<double>().subspan(first, at(samples) * 6);
    set(alone.inputs[0], {x.begin(), x.end()});
    alone.forward();
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_EQ(grouped.outputs[0].as<double>()[first + i], alone.outputs[0].as<double>()[i]);
    for (std::size_t c = 0; c < 3; ++c)
      mean[c] += static_cast<double>(samples) / 5 * alone.next_state[2].as<double>()[c];
    first += x.size();
  }
  for (std::size_t c = 0; c < 3; ++c)
    EXPECT_NEAR(grouped.next_state[2].as<double>()[c],
                0.9 * grouped.params[2].as<double>()[c] + 0.1 * mean[c], 1e-14);
}

LayerCase ones(double ratio, const tensor::Shape& shape) {
  LayerCase layer(kDropout, {"", {{"ratio", ratio}}, {shape}});
  for (double& x : layer.inputs[0].as<double>()) x = 1;
  layer.context.key = {.seed = 11, .step = 3, .first_sample = 0};
  layer.context.layer_index = 4;
  return layer;
}

TEST(Dropout, DropsItsShareAndKeepsTheExpectation) {
  LayerCase layer = ones(0.3, {100, 1001});
  layer.forward();
  const Reals y = values(layer.outputs[0]);
  double dropped = 0;
  for (const double value : y) {
    if (value == 0)
      ++dropped;
    else
      ASSERT_DOUBLE_EQ(value, 1 / 0.7);
  }
  const auto n = static_cast<double>(y.size());
  EXPECT_NEAR(dropped / n, 0.3, 5 * std::sqrt(0.3 * 0.7 / n));
  layer.context.training = false;
  layer.forward();
  EXPECT_EQ(values(layer.outputs[0]), Reals(y.size(), 1.0));
}

TEST(Dropout, DrawsTheSameForAnySplitOfTheBatch) {
  LayerCase whole = ones(0.5, {6, 9});
  whole.forward();
  LayerCase part = ones(0.5, {2, 9});
  part.context.key.first_sample = 3;
  part.forward();
  const Reals all = values(whole.outputs[0]);
  EXPECT_EQ(values(part.outputs[0]), Reals(all.begin() + 27, all.begin() + 45));
}

TEST(Dropout, DrawsAnewForStepLayerSampleAndSeed) {
  LayerCase layer = ones(0.5, {2, 64});
  layer.forward();
  const Reals base = values(layer.outputs[0]);
  EXPECT_NE(Reals(base.begin(), base.begin() + 64), Reals(base.begin() + 64, base.end()));
  const auto differs = [&](auto&& change) {
    LayerCase other = ones(0.5, {2, 64});
    change(other.context);
    other.forward();
    return values(other.outputs[0]) != base;
  };
  EXPECT_TRUE(differs([](graph::EvalContext& context) { context.key.seed = 12; }));
  EXPECT_TRUE(differs([](graph::EvalContext& context) { context.key.step = 4; }));
  EXPECT_TRUE(differs([](graph::EvalContext& context) { context.layer_index = 5; }));
}

TEST(Dropout, IsAddressedAsItsHeaderSays) {
  const DropoutMask mask({.seed = 11, .step = 3, .first_sample = 0}, 4);
  base::RandomStream stream(11, base::Purpose::dropout, 3, 4);  // sample 0 is the stream from its beginning
  LayerCase layer = ones(0.5, {1, 23});
  layer.forward();
  for (std::uint32_t i = 0; i < 23; ++i) {
    const std::uint32_t draw = stream.bits();
    ASSERT_EQ(mask.draw(i / 4, 0)[i % 4], draw);
    EXPECT_EQ(layer.outputs[0].as<double>()[i] == 0, draw < DropoutMask::threshold(0.5)) << i;
  }
  EXPECT_EQ(DropoutMask::threshold(0), 0u);
  EXPECT_EQ(DropoutMask::threshold(0.5), 0x80000000u);
}

struct Refusal {
  const graph::LayerKind* kind;
  Attributes attributes;
  std::vector<tensor::Shape> inputs;
  std::string_view reason;
};

std::vector<Refusal> size_refusals() {
  const AttributeValue k = integer(2);
  return {
      {&kConv, {{"output_channels", k}, {"kernel_shape", Ints{3}}}, {{2, 4}}, "{N, C, spatial...}"},
      {&kConv, {{"output_channels", k}, {"kernel_shape", Ints{}}}, {{2, 1, 4}}, "kernel_shape is required"},
      {&kConv,
       {{"output_channels", k}, {"kernel_shape", Ints{3}}},
       {{2, 1, 4, 4}},
       "kernel_shape has 1 entries"},
      {&kConv,
       {{"output_channels", k}, {"kernel_shape", Ints{0}}},
       {{2, 1, 4}},
       "kernel_shape has the entry 0"},
      {&kConv,
       {{"output_channels", k}, {"kernel_shape", Ints{5}}},
       {{2, 1, 4}},
       "a window of 5 does not fit"},
      {&kConv,
       {{"output_channels", k}, {"kernel_shape", Ints{2}}, {"strides", Ints{0}}},
       {{2, 1, 4}},
       "strides has the entry 0"},
      {&kConv,
       {{"output_channels", k}, {"kernel_shape", Ints{2}}, {"pads", Ints{1}}},
       {{2, 1, 4}},
       "pads has 1 entries"},
      {&kConv,
       {{"output_channels", k}, {"kernel_shape", Ints{2}}, {"pads", Ints{-1, 0}}},
       {{2, 1, 4}},
       "pads has the entry -1"},
      {&kConv,
       {{"output_channels", k}, {"kernel_shape", Ints{2}}, {"dilations", Ints{Ints::value_type{1} << 40}}},
       {{2, 1, 4}},
       "dilations has the entry"},
  };
}

std::vector<Refusal> convolution_and_pool_refusals() {
  const AttributeValue k = integer(2);
  const std::string same = "SAME_UPPER";
  return {
      {&kConv,
       {{"output_channels", k}, {"kernel_shape", Ints{2}}, {"auto_pad", std::string("SAME")}},
       {{2, 1, 4}},
       "auto_pad is \"SAME\""},
      {&kConv,
       {{"output_channels", k}, {"kernel_shape", Ints{2}}, {"auto_pad", same}, {"pads", Ints{1, 1}}},
       {{2, 1, 4}},
       "pads are given beside"},
      {&kConv,
       {{"output_channels", k}, {"kernel_shape", Ints{2}}, {"group", integer(2)}},
       {{2, 3, 4}},
       "group 2 does not divide 3"},
      {&kConv,
       {{"output_channels", integer(3)}, {"kernel_shape", Ints{2}}, {"group", k}},
       {{2, 4, 4}},
       "3 output channels"},
      {&kConv,
       {{"output_channels", integer(0)}, {"kernel_shape", Ints{2}}},
       {{2, 4, 4}},
       "output_channels is 0"},
      {&kConv,
       {{"output_channels", k}, {"kernel_shape", Ints{2}}, {"initialiser", std::string("xavier")}},
       {{2, 4, 4}},
       "known are he, glorot"},
      {&kConv,
       {{"output_channels", k}, {"kernel_shape", Ints{2}}, {"initialiser", std::string("gaussian:x")}},
       {{2, 4, 4}},
       "\"x\" is no number"},
      {&kMaxPool,
       {{"kernel_shape", Ints{2}}, {"pads", Ints{2, 0}}},
       {{2, 1, 4}},
       "window 0 of spatial dimension 0 holds only padding"},
      {&kMaxPool,
       {{"kernel_shape", Ints{2}}, {"pads", Ints{1, 1}}, {"dilations", Ints{2}}},
       {{1, 1, 1}},
       "holds only padding"},
      {&kMaxPool,
       {{"kernel_shape", Ints{1 << 24}}, {"pads", Ints{1 << 23, 1 << 24}}},
       {{1, 1, 1 << 23}},
       "window 16777216 of spatial dimension 0 holds only padding"},
      {&kConv,
       {{"output_channels", integer(1 << 17)}, {"kernel_shape", Ints{1 << 20}}},
       {{1, 1 << 16, 1 << 20}},
       "more than any machine can do"},
      {&kAveragePool, {{"kernel_shape", Ints{2}}, {"ceil_mode", k}}, {{1, 1, 4}}, "ceil_mode is 2"},
      {&kGlobalAveragePool, {}, {{2, 3}}, "{N, C, spatial...}"},
  };
}

std::vector<Refusal> other_refusals() {
  return {
      {&kConv,
       {{"output_channels", integer(1)}, {"kernel_shape", Ints(3, 1 << 23)}, {"pads", Ints(6, 1 << 22)}},
       {{1, 1, 4, 4, 4}},
       "more than 2^40"},
      {&kConv,
       {{"output_channels", integer(Ints::value_type{1} << 31)},
        {"kernel_shape", Ints{1 << 20, 1 << 20}},
        {"pads", Ints(4, 1 << 19)}},
       {{1, 1, 4, 4}},
       "too large"},
      {&kGemm, {{"output_features", integer(2)}}, {{2, 1, 4}}, "put a Flatten before"},
      {&kGemm, {{"output_features", integer(0)}}, {{2, 4}}, "output_features is 0"},
      {&kLrn, {{"size", integer(0)}}, {{2, 4}}, "size is 0"},
      {&kLrn, {{"size", integer(3)}, {"bias", 0.0}}, {{2, 4}}, "bias must be positive"},
      {&kBatchNormalization, {}, {{4}}, "{N, C, ...}"},
      {&kBatchNormalization, {{"epsilon", 0.0}}, {{4, 2}}, "epsilon must be positive"},
      {&kBatchNormalization, {{"momentum", 1.5}}, {{4, 2}}, "momentum is 1.5"},
      {&kBatchNormalization, {{"statistics_samples", integer(-1)}}, {{4, 2}}, "statistics_samples"},
      {&kDropout, {{"ratio", 1.0}}, {{4, 2}}, "ratio is 1"},
      {&kDropout, {{"ratio", -0.1}}, {{4, 2}}, "ratio is -0.1"},
      {&kConcat, {{"axis", integer(0)}}, {{2, 3}, {2, 3}}, "axis 0 is the batch"},
      {&kConcat, {{"axis", integer(-2)}}, {{2, 3}, {2, 3}}, "axis -2 is the batch"},
      {&kConcat, {{"axis", integer(2)}}, {{2, 3}, {2, 3}}, "outside the input's 2 dimensions"},
      {&kConcat, {{"axis", integer(1)}}, {{2, 3, 4}, {2, 3, 5}}, "differ in more than dimension 1"},
      {&kConcat, {{"axis", integer(1)}}, {{2, 3}, {3, 3}}, "differ in more than dimension 1"},
      {&kAdd, {}, {{2, 3}, {3}}, "2 and 1 dimensions"},
      {&kAdd, {}, {{2, 3}, {1, 3}}, "sizes 2 and 1 of dimension 0"},
      {&kMul, {}, {{2, 3}, {2, 4}}, "sizes 3 and 4 of dimension 1"},
      {&kFlatten, {{"axis", integer(0)}}, {{2, 3}}, "take axis 1"},
      {&kFlatten, {{"axis", integer(2)}}, {{2, 3, 4}}, "take axis 1"},
      {&kFlatten, {{"axis", integer(5)}}, {{2, 3, 4}}, "axis 5 is outside"},
      {&kReshape, {{"shape", Ints{2, 3}}}, {{2, 3}}, "shape must begin with 0"},
      {&kReshape, {{"shape", Ints{0, 4}}}, {{2, 3}}, "a sample has 3 elements and the rest of shape 4"},
      {&kReshape, {{"shape", Ints{0, -1, 2}}}, {{2, 3}}, "does not fit"},
      {&kReshape, {{"shape", Ints{0, -1, -1}}}, {{2, 3}}, "-1 twice"},
      {&kReshape, {{"shape", Ints{-1, -1}}}, {{2, 3}}, "-1 twice"},
      {&kReshape, {{"shape", Ints{0, 3, 0}}}, {{2, 3}}, "0 at dimension 2"},
      {&kReshape, {{"shape", Ints{0, -3}}}, {{2, 3}}, "entry -3"},
      {&kReshape, {{"shape", Ints{}}}, {{2, 3}}, "shape must begin with 0"},
      {&kSoftmax, {{"axis", integer(0)}}, {{2, 3}}, "axis 0 is the batch"},
      {&kLogSoftmax, {{"axis", integer(-3)}}, {{2, 3}}, "outside"},
      {&kSoftmaxCrossEntropyLoss, {}, {{2, 3, 4}, {2}}, "{N, classes} is wanted"},
      {&kSoftmaxCrossEntropyLoss, {}, {{2, 3}, {3}}, "one a sample is wanted"},
      {&kSoftmaxCrossEntropyLoss, {{"reduction", std::string("sum")}}, {{2, 3}, {2}}, "reduction is \"sum\""},
      {&kMeanSquaredError, {}, {{2, 3}, {2, 4}}, "one shape"},
  };
}

std::vector<Refusal> moving_refusals() {
  return {
      {&kScale, {{"factor", NAN}}, {{2, 3}}, "a number is wanted"},
      {&kPad, {{"pads", Ints{0, 1}}}, {{2, 3}}, "pads has 2 entries; 4 are wanted"},
      {&kPad, {{"pads", Ints{1, 0, 0, 0}}}, {{2, 3}}, "the batch cannot be padded"},
      {&kPad, {{"pads", Ints{0, -2, 0, -1}}}, {{2, 3}}, "nothing is left of dimension 1"},
      {&kPad, {{"pads", Ints{0, -4, 0, 9}}}, {{2, 3}}, "pads of dimension 1 are too large"},
      {&kPad, {{"pads", Ints{0, 0, 0, 0}}, {"mode", std::string("edge")}}, {{2, 3}}, "mode is \"edge\""},
      {&kGather, {{"indices", Ints{}}}, {{2, 3}}, "indices is empty"},
      {&kGather, {{"indices", Ints{3}}}, {{2, 3}}, "index 3 is outside the 3 of dimension 1"},
      {&kGather, {{"indices", Ints{0}}, {"axis", integer(0)}}, {{2, 3}}, "axis 0 is the batch"},
      {&kLpPool, {{"kernel_shape", Ints{2}}, {"p", integer(0)}}, {{1, 1, 4}}, "p is 0"},
      {&kLpPool, {{"kernel_shape", Ints{5}}}, {{1, 1, 4}}, "does not fit"},
      {&kLocallyConnected,
       {{"kernel_shape", Ints{2}}, {"output_channels", integer(0)}},
       {{1, 1, 4}},
       "output_channels is 0"},
      {&kLocallyConnectedAutoencoder,
       {{"kernel_shape", Ints{1 << 20}}, {"output_channels", integer(1 << 20)}},
       {{1, 1 << 20, 4}},
       "the weight is too large"},
      {&kSparsityPenalty, {{"epsilon", -1.0}}, {{1, 4}}, "epsilon is -1"},
      {&kLocalContrastNormalization, {{"size", integer(4)}}, {{1, 1, 4}}, "an odd number"},
      {&kLocalContrastNormalization, {{"floor", 0.0}}, {{1, 1, 4}}, "must be positive"},
      {&kRadialBasis, {{"centres", Ints{1, 2}}}, {{2, 3}}, "a multiple of the 3 features is wanted"},
      {&kRadialBasis, {{"centres", Ints{}}}, {{2, 3}}, "centres has 0 numbers"},
      {&kRadialBasis, {{"centres", Ints{1, 1}}}, {{2, 2, 1}}, "{N, features} is wanted"},
  };
}

TEST(Refusals, NameWhatIsWrong) {
  std::vector<Refusal> all = size_refusals();
  for (auto more : {convolution_and_pool_refusals(), moving_refusals(), other_refusals()})
    all.insert(all.end(), more.begin(), more.end());
  for (const Refusal& refusal : all) {
    const auto attributes = graph::complete(refusal.attributes, refusal.kind->attributes);
    ASSERT_TRUE(attributes.ok()) << attributes.reason().text;
    const auto signature = refusal.kind->infer(*attributes, refusal.inputs);
    ASSERT_FALSE(signature.ok()) << refusal.kind->op << ": " << refusal.reason;
    EXPECT_NE(signature.reason().text.find(refusal.reason), std::string::npos)
        << refusal.kind->op << ": " << signature.reason().text;
  }
}

TEST(Initialisers, AreReadFromTheirText) {
  using Rule = graph::Initialiser::Rule;
  const auto gaussian = parse_initialiser("gaussian:0.25", {.in = 3, .out = 4});
  ASSERT_TRUE(gaussian.ok());
  EXPECT_EQ(gaussian->rule, Rule::gaussian);
  EXPECT_EQ(gaussian->stddev, 0.25);
  EXPECT_EQ(parse_initialiser("glorot", {.in = 3, .out = 4})->fan_out, 4);
  EXPECT_EQ(parse_initialiser("he", {.in = 3, .out = 4})->fan_in, 3);
  EXPECT_EQ(parse_initialiser("constant:-1", {})->value, -1);
  for (const char* text :
       {"", "he:1", "glorot:", "gaussian", "gaussian:", "gaussian:-1", "constant", "constant:nan", "he "})
    EXPECT_FALSE(parse_initialiser(text, {}).ok()) << text;
  const Attributes grouped = {
      {"output_channels", integer(6)}, {"kernel_shape", Ints{3, 3}}, {"group", integer(2)}};
  const LayerCase conv(kConv, {"", grouped, {{1, 4, 5, 5}}});
  EXPECT_EQ(conv.signature.params[0].initialiser.fan_in, 18);
  EXPECT_EQ(conv.signature.params[0].initialiser.fan_out, 27);
}

}  // namespace
}  // namespace convoy::layers
