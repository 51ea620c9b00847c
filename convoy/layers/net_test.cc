#include "convoy/layers/net.h"

#include <gtest/gtest.h>

#include "convoy/layers/catalog.h"

namespace convoy::layers {
namespace {

std::string refusal(Net net) {
  const auto graph = std::move(net).build();
  return graph.ok() ? "accepted" : graph.reason().text;
}

TEST(Net, NumbersUnnamedLayersByKind) {
  Net net("tiny", {1, 28, 28});
  net.conv("first", {.output_channels = 8, .kernel = 5}).relu().max_pool({.kernel = 2, .stride = 2});
  net.conv({.output_channels = 4, .kernel = {3, 1}, .stride = {2, 1}}).relu().average_pool();
  net.flatten().gemm(10).softmax_cross_entropy();
  const auto graph = std::move(net).build();
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  std::string names;
  for (const graph::Layer& layer : graph->layers()) names += layer.name + " ";
  EXPECT_EQ(names, "first relu1 pool1 conv1 relu2 pool2 flatten1 fc1 loss ");
  const graph::Shapes shapes = graph->infer(3);
  EXPECT_EQ(shapes.values[static_cast<std::size_t>(graph->layers()[3].outputs[0])],
            (tensor::Shape{3, 4, 5, 12}));
  EXPECT_EQ(shapes.values[static_cast<std::size_t>(graph->output())], (tensor::Shape{3, 10}));
}

TEST(Net, BranchesAndJoins) {
  Net net("block", {4, 8, 8});
  const graph::ValueId trunk = net.value();
  net.conv({.output_channels = 4, .kernel = 3, .pad = 1}).batch_norm().leaky_relu().add(trunk);
  const graph::ValueId left = net.value();
  net.conv({.output_channels = 2, .kernel = 1}).tanh();
  const graph::ValueId right = net.value();
  net.concat({left, right}).lrn().dropout(0.1).global_average_pool().reshape({6}).sigmoid();
  EXPECT_EQ(net.sample_shape(), (tensor::Shape{6}));
  net.gemm("fc", 3, {.bias = false}).softmax().output();
  const auto graph = std::move(net).build();
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  EXPECT_EQ(graph->consumers(trunk).size(), 2u);
  EXPECT_EQ(graph->loss(), -1);
  EXPECT_EQ(graph->param_layout(tensor::DType::f32).parameter_count, 148 + 8 + 10 + 18);
}

TEST(Net, TrainsAutoencodersAgainstTheirInput) {
  Net net("autoencoder", {12});
  net.gemm(3).sigmoid().gemm(12).mean_squared_error(net.input());
  const auto graph = std::move(net).build();
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  EXPECT_EQ(graph->labels(), -1);
  EXPECT_EQ(graph->infer(2).values[static_cast<std::size_t>(graph->output())], (tensor::Shape{2, 12}));
}

TEST(Net, AddsAuxiliaryLossesToTheModels) {
  Net net("heads", {12});
  net.gemm(6);
  const graph::ValueId trunk = net.value();
  net.gemm(3).auxiliary_softmax_cross_entropy(0.5, "side").from(trunk);
  net.gemm("scores", 3).softmax_cross_entropy();
  const auto graph = std::move(net).build();
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  EXPECT_NE(graph->str().find("side_weighted = Scale{factor=0.5}(side)\n"), std::string::npos);
  EXPECT_NE(graph->str().find("loss_total = Sum{}(loss, side_weighted)\noutput scores\nloss loss_total\n"),
            std::string::npos)
      << graph->str();
}

TEST(Net, AddsPenaltiesToALossOfTheCallersChoice) {
  Net net("penalised", {12});
  const graph::ValueId code = net.gemm("code", 3).value();
  net.apply(kSparsityPenalty, "sparsity", {}).auxiliary_loss(0.5, "sparsity");
  net.from(code).apply(kSparsityPenalty, "more", {}).auxiliary_loss(1, "more");
  net.from(code).output().gemm("back", 12).apply(kMeanSquaredError, "error", {}, {net.input()}).minimise();
  const auto graph = std::move(net).build();
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  EXPECT_NE(
      graph->str().find("loss_total = Sum{}(error, sparsity_weighted, more)\noutput code\nloss loss_total\n"),
      std::string::npos)
      << graph->str();
}

TEST(Net, PadsAndPicksChannels) {
  Net net("channels", {3, 4, 4});
  net.pad_channels(1, 2).gather({0, 5, 1}).scale(2).output();
  EXPECT_EQ(net.sample_shape(), (tensor::Shape{3, 4, 4}));
  const auto graph = std::move(net).build();
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  EXPECT_EQ(graph->infer(2).values[1], (tensor::Shape{2, 6, 4, 4}));
}

TEST(Net, ReportsTheFirstMistakeAndStaysHarmless) {
  Net net("wrong", {1, 4, 4});
  net.conv("c", {.output_channels = 2, .kernel = 5}).relu().max_pool().flatten().gemm(0).add(net.value());
  net.softmax_cross_entropy();
  EXPECT_EQ(
      refusal(std::move(net)),
      "model wrong: layer c (Conv of Nx1x4x4): a window of 5 does not fit into spatial dimension 0, 4 and "
      "padding 0 + 0");
  EXPECT_NE(
      refusal(std::move(Net("rank", {1, 4, 4}).conv({.output_channels = 1, .kernel = {1, 1, 1}}).output()))
          .find("kernel_shape has 3 entries; the input wants 2"),
      std::string::npos);
  EXPECT_NE(refusal(std::move(Net("flat", {4}).max_pool().output())).find("{N, C, spatial...}"),
            std::string::npos);
  EXPECT_EQ(refusal(Net("no output", {4})),
            "model no output: the graph's name \"no output\" has blanks or punctuation");
}

}  // namespace
}  // namespace convoy::layers
