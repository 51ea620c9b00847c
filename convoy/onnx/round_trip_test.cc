// What is exported is imported as the same graph with the same weights.
#include <gtest/gtest.h>

#include <set>

#include "convoy/base/rng.h"
#include "convoy/layers/catalog.h"
#include "convoy/layers/net.h"
#include "convoy/onnx/export.h"
#include "convoy/onnx/import.h"

namespace convoy::onnx {
namespace {

using graph::LayerKind;
using graph::LayerSample;

Weights random_weights(const graph::Graph& graph) {
  Weights weights;
  base::RandomStream random(7, base::Purpose::initialise, 0, 0);
  for (const tensor::Segment& segment : graph.param_layout(tensor::DType::f32).segments) {
    auto values = std::make_shared<tensor::Tensor>(tensor::DType::f32, segment.global_shape);
    for (float& value : values->as<float>()) value = static_cast<float>(random.normal());
    weights[segment.name] = std::move(values);
  }
  return weights;
}

tensor::Shape without_batch(const tensor::Shape& shape) {
  return tensor::Shape(std::vector<std::int64_t>(shape.begin() + 1, shape.end()));
}

// The layer over inputs of the sample's shapes, each made so that ONNX can say it; empty where it cannot.
base::Result<graph::Graph> graph_of(const LayerKind& kind, const LayerSample& sample) {
  const bool repeats = &kind == &layers::kAdd || &kind == &layers::kMul || &kind == &layers::kSum;
  graph::GraphBuilder builder("sample", without_batch(sample.inputs[0]));
  const graph::ValueId first = builder.add(layers::kTanh, "first", {}, {builder.input()});
  std::vector<graph::ValueId> inputs = {first};
  for (std::size_t i = 1; i < sample.inputs.size(); ++i) {
    const std::string name = "other" + std::to_string(i);
    if (kind.traits.takes_labels && i + 1 == sample.inputs.size())
      inputs.push_back(builder.labels());
    else if (kind.traits.is_loss)
      inputs.push_back(builder.input());
    else if (sample.inputs[i] == sample.inputs[0])
      inputs.push_back(builder.add(layers::kSigmoid, name, {}, {builder.input()}));
    else if (repeats)
      inputs.push_back(builder.add(
          layers::kParameter, name,
          {{"shape", without_batch(sample.inputs[i]).sizes()}, {"learned", static_cast<std::int64_t>(i % 2)}},
          {builder.input()}));
    else
      return base::Reason{"no"};
  }
  const graph::ValueId layer = builder.add(kind, "layer", sample.attributes, inputs);
  builder.set_output(kind.traits.is_loss ? first : layer);
  if (kind.traits.is_loss) builder.set_loss(layer);
  return std::move(builder).build();
}

void expect_round_trip(const graph::Graph& graph) {
  const Weights weights = random_weights(graph);
  const auto exported = export_model({.graph = graph, .weights = weights});
  ASSERT_TRUE(exported.ok()) << exported.reason().text;
  EXPECT_TRUE(exported->left_out.empty());
  const ImportedModel imported = import_model(exported->file, "test");
  std::string text = imported.graph.str();
  if (graph.loss() < 0 && imported.graph.loss() >= 0)  // a classifier gets one
    text = text.substr(0, text.rfind("loss = ")) + text.substr(text.find("output "));
  if (graph.loss() < 0 && imported.graph.loss() >= 0) text = text.substr(0, text.rfind("loss "));
  EXPECT_EQ(text, graph.str());
  EXPECT_EQ(imported.weights, weights) << "the same arrays, not copies";
}

TEST(RoundTrip, EveryLayersSamples) {
  std::set<std::string_view> tested;
  for (const LayerKind* kind : layers::catalog()) {
    for (const LayerSample& sample : kind->samples()) {
      SCOPED_TRACE(base::str(kind->op, ", ", sample.name));
      const auto graph = graph_of(*kind, sample);
      const bool is_exportable = graph.ok() && kind != &layers::kParameter &&
                                 export_model({.graph = *graph, .weights = random_weights(*graph)}).ok();
      if (!is_exportable) continue;
      tested.insert(kind->op);
      expect_round_trip(*graph);
    }
  }
  for (const char* op :
       {"Add",     "AveragePool", "BatchNormalization",      "Concat", "Conv",      "Dropout",
        "Flatten", "Gemm",        "GlobalAveragePool",       "LRN",    "LeakyRelu", "LogSoftmax",
        "LpPool",  "MaxPool",     "MeanSquaredError",        "Mul",    "Relu",      "Reshape",
        "Sigmoid", "Softmax",     "SoftmaxCrossEntropyLoss", "Sum",    "Tanh"})
    EXPECT_TRUE(tested.contains(op)) << op;
}

TEST(RoundTrip, ANetWithAllThatTrainingNeeds) {
  layers::Net net("all", {3, 16, 16});
  net.conv("stem.conv",
           {.output_channels = 8, .kernel = 3, .pad = 1, .bias = false, .initialiser = "gaussian:0.01"});
  net.batch_norm({.epsilon = 1e-3, .momentum = 0.123456789012345, .statistics_samples = 8}, "stem.bn").relu();
  const auto trunk = net.value();
  net.conv("left", {.output_channels = 4, .kernel = 1, .bias_value = 0.1});
  const auto left = net.value();
  net.from(trunk).conv("right", {.output_channels = 4, .kernel = {3, 5}, .pad = {1, 2}, .groups = 2});
  net.concat({left, net.value()})
      .add(trunk)
      .lrn({.alpha = 2e-4})
      .max_pool({.kernel = 3, .stride = 2, .ceil_mode = true});
  net.global_average_pool()
      .flatten()
      .dropout(0.3)
      .gemm("fc", 5, {.initialiser = "glorot"})
      .softmax_cross_entropy();
  net.class_names({"a b", "c\"d", "e", "f", "g"});
  const auto graph = std::move(net).build();
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  expect_round_trip(*graph);
}

// Layers may be called like another layer's weights.
TEST(RoundTrip, NamesThatWeightsHaveToo) {
  graph::GraphBuilder builder("names", {4});
  const auto a = builder.add(layers::kGemm, "a", {{"output_features", std::int64_t{4}}}, {0});
  const auto weight = builder.add(layers::kRelu, "a.weight", {}, {a});
  const auto flat =
      builder.add(layers::kReshape, "b", {{"shape", std::vector<std::int64_t>{0, 4}}}, {weight});
  builder.set_output(builder.add(layers::kTanh, "b.shape", {}, {flat}));
  const auto graph = std::move(builder).build();
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  expect_round_trip(*graph);
}

TEST(RoundTrip, AConstantAndALearnedArray) {
  graph::GraphBuilder builder("shifted", {3, 4, 4});
  using Ints = std::vector<std::int64_t>;
  const auto scale =
      builder.add(layers::kParameter, "scale", {{"shape", Ints{3, 1, 1}}, {"learned", std::int64_t{0}}}, {0});
  const auto scaled = builder.add(layers::kMul, "scaled", {}, {0, scale});
  const auto shift = builder.add(layers::kParameter, "shift", {{"shape", Ints{3, 1, 1}}}, {0});
  builder.set_output(builder.add(layers::kAdd, "shifted", {}, {scaled, shift}));
  const auto graph = std::move(builder).build();
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  expect_round_trip(*graph);
}

// A branch that only trains, as GoogLeNet has them.
TEST(Export, LeavesOutWhatOnlyTheLossNeeds) {
  graph::GraphBuilder builder("net", {4});
  const auto hidden = builder.add(layers::kRelu, "hidden", {}, {0});
  const auto scores = builder.add(layers::kGemm, "scores", {{"output_features", std::int64_t{3}}}, {hidden});
  const auto side = builder.add(layers::kGemm, "side", {{"output_features", std::int64_t{3}}}, {hidden});
  const auto sum = builder.add(layers::kAdd, "sum", {}, {scores, side});
  builder.set_output(scores);
  builder.set_loss(builder.add(layers::kSoftmaxCrossEntropyLoss, "loss", {}, {sum, builder.labels()}));
  const auto graph = std::move(builder).build();
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  const auto exported = export_model({.graph = *graph, .weights = random_weights(*graph)});
  ASSERT_TRUE(exported.ok()) << exported.reason().text;
  EXPECT_EQ(exported->left_out, (std::vector<std::string>{"side", "sum", "loss"}));
  const ImportedModel imported = import_model(exported->file, "test");
  EXPECT_EQ(imported.graph.layers().size(), 3u);  // with a loss on the scores alone
  EXPECT_EQ(imported.graph.layers()[2].inputs[0], imported.graph.output());
}

TEST(Export, RefusesWhatOnnxDoesNotHave) {
  graph::GraphBuilder builder("net", {4});
  const auto array = builder.add(layers::kParameter, "array", {{"shape", std::vector<std::int64_t>{4}}}, {0});
  builder.set_output(builder.add(layers::kConcat, "both", {{"axis", std::int64_t{1}}}, {0, array}));
  const auto graph = std::move(builder).build();
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  const auto exported = export_model({.graph = *graph, .weights = random_weights(*graph)});
  ASSERT_FALSE(exported.ok());
  EXPECT_EQ(exported.reason().text,
            "layer both (Concat): ONNX repeats a constant along the batch in Add, Mul and Sum alone");
}

}  // namespace
}  // namespace convoy::onnx
