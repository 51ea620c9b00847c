#include <gtest/gtest.h>

#include <cmath>

#include "convoy/models/catalog.h"

namespace convoy::models {
namespace {

std::int64_t parameters(std::string_view name, const ModelRequest& request = {}) {
  const auto graph = build_model(name, request);
  EXPECT_TRUE(graph.ok()) << (graph.ok() ? "" : graph.reason().text);
  return graph.ok() ? graph->param_layout(tensor::DType::f32).parameter_count : -1;
}

std::string refusal(std::string_view name, const ModelRequest& request = {}) {
  const auto graph = build_model(name, request);
  EXPECT_FALSE(graph.ok());
  return graph.ok() ? "" : graph.reason().text;
}

TEST(Models, HaveTheirExactNumberOfParameters) {
  EXPECT_EQ(parameters("lenet5"), 61'706);
  EXPECT_EQ(parameters("lenet5", {.input_shape = {3, 32, 32}}),
            456 + 2'416 + (576 * 120 + 120) + 10'164 + 850);
  EXPECT_EQ(parameters("lenet5", {.input_shape = {1, 12, 12}}),
            156 + 2'416 + (16 * 120 + 120) + 10'164 + 850);
  EXPECT_EQ(parameters("mlp"), 1'863'690);
  EXPECT_EQ(parameters("mlp", {.input_shape = {784}, .width = 0.5}), 785 * 512 + 513 * 512 + 513 * 10);
  EXPECT_EQ(parameters("linear"), 7'850);
  EXPECT_EQ(parameters("linear", {.input_shape = {3, 32, 32}, .classes = 100}), 307'300);
}

TEST(Models, BuildWithTheirDefaultsAndInferEveryBatch) {
  for (const ModelKind& kind : catalog()) {
    const auto graph = build_model(kind.name);
    ASSERT_TRUE(graph.ok()) << kind.name << ": " << graph.reason().text;
    EXPECT_EQ(graph->name(), kind.name);
    EXPECT_EQ(graph->input_shape(), kind.default_input);
    for (const std::int64_t n : {1, 2, 64}) {
      const graph::Shapes shapes = graph->infer(n);
      EXPECT_EQ(shapes.values[static_cast<std::size_t>(graph->output())],
                (tensor::Shape{n, kind.default_classes}));
      EXPECT_EQ(shapes.values[static_cast<std::size_t>(graph->loss())].rank(), 0);
    }
  }
}

TEST(Models, Lenet5IsTheNetOfThePaperWithTodaysParts) {
  const auto graph = build_model("lenet5");
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->layers().size(), 13u);
  const tensor::ParamLayout layout = graph->param_layout(tensor::DType::f32);
  ASSERT_EQ(layout.segments.size(), 10u);
  EXPECT_EQ(layout.segments[0].name, "conv1.weight");
  EXPECT_EQ(layout.segments[2].global_shape, (tensor::Shape{16, 6, 5, 5}));
  EXPECT_EQ(layout.segments[4].global_shape, (tensor::Shape{120, 400}));
  EXPECT_EQ(layout.segments[9].name, "fc3.bias");
}

TEST(Models, Lenet5NeedsItsNumberOfMultiplications) {
  const auto graph = build_model("lenet5");
  ASSERT_TRUE(graph.ok());
  const graph::Shapes shapes = graph->infer(64);
  std::int64_t macs = 0;
  for (std::size_t i = 0; i < graph->layers().size(); ++i) {
    const graph::Layer& layer = graph->layers()[i];
    std::vector<tensor::Shape> inputs;
    for (const graph::ValueId id : layer.inputs)
      inputs.push_back(shapes.values[static_cast<std::size_t>(id)]);
    macs += layer.kind->work(layer.attributes, inputs, shapes.signatures[i]).macs;
  }
  EXPECT_EQ(macs, 64 * (117'600 + 240'000 + 48'000 + 10'080 + 840));
}

TEST(Models, RefuseWhatTheyCannotBuildWithTheReason) {
  EXPECT_EQ(refusal("lenet6"), "unknown model \"lenet6\"; known are lenet5, linear, mlp");
  EXPECT_NE(refusal("lenet5", {.input_shape = {1, 28, 11}}).find("at least 12x12"), std::string::npos);
  EXPECT_NE(refusal("lenet5", {.input_shape = {784}}).find("{C, H, W}"), std::string::npos);
  EXPECT_NE(refusal("mlp", {.width = 0}).find("width"), std::string::npos);
  EXPECT_NE(refusal("mlp", {.width = std::nan("")}).find("width"), std::string::npos);
  EXPECT_NE(refusal("mlp", {.classes = -1}).find("-1 classes"), std::string::npos);
  EXPECT_NE(refusal("mlp", {.class_names = {"a", "b"}}).find("2 class names"), std::string::npos);
  EXPECT_NE(refusal("linear", {.input_shape = {1, 0, 3}}).find("empty"), std::string::npos);
}

TEST(Models, StandInAscendingOrderWithoutDoubles) {
  for (std::size_t i = 1; i < catalog().size(); ++i) EXPECT_LT(catalog()[i - 1].name, catalog()[i].name);
}

TEST(Models, InitialiseTheSameForOneSeedAndDifferentlyForAnother) {
  const auto graph = build_model("lenet5");
  ASSERT_TRUE(graph.ok());
  const tensor::ParamLayout layout = graph->param_layout(tensor::DType::f32);
  std::vector<float> a(static_cast<std::size_t>(layout.parameter_extent), -1.0f), b = a, c = a, state;
  graph::initialise(*graph, layout, 1, a, state);
  graph::initialise(*graph, layout, 1, b, state);
  graph::initialise(*graph, layout, 2, c, state);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

}  // namespace
}  // namespace convoy::models
