#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

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

TEST(Models, HaveThePapersNumberOfParameters) {
  EXPECT_EQ(parameters("lenet5-paper"), 60'000);
  EXPECT_EQ(parameters("gupta-mlp"), 1'796'010);
  EXPECT_EQ(parameters("gupta-cnn"), 37'610);
  EXPECT_EQ(parameters("gupta-cifar"), 3 * 1'600 + 64 + 2 * (64 * 1'600 + 64) + 64 * 9 * 10 + 10);
  EXPECT_EQ(parameters("alexnet"), 60'965'224);
  EXPECT_EQ(parameters("alexnet-owt"), 61'100'840);
  EXPECT_EQ(parameters("vgg16"), 138'357'544);
  EXPECT_EQ(parameters("vgg19"), 143'667'240);
  EXPECT_EQ(parameters("googlenet"), 6'998'552);
  EXPECT_EQ(parameters("resnet18"), 11'689'512);
  EXPECT_EQ(parameters("resnet34"), 21'797'672);
  EXPECT_EQ(parameters("resnet50"), 25'557'032);
  EXPECT_EQ(parameters("resnet101"), 44'549'160);
  EXPECT_EQ(parameters("resnet152"), 60'192'808);
  EXPECT_EQ(parameters("cifar-resnet"), 269'722);
  EXPECT_EQ(parameters("cifar-resnet20"), 269'722);
  EXPECT_EQ(parameters("cifar-resnet32"), 464'154);
  EXPECT_EQ(parameters("cifar-resnet44"), 658'586);
  EXPECT_EQ(parameters("cifar-resnet56"), 853'018);
  EXPECT_EQ(parameters("cifar-resnet110"), 1'727'962);
}

// Mean 5x5, 128 filters 1x1, 1024 units, 1000 units, at 4a with 512 and at 4d with 528 channels of 4x4 means.
TEST(Models, GoogLenetsAuxiliaryHeadsAddTheirOwn) {
  const std::int64_t dense = (128 * 16 + 1) * 1024 + (1024 + 1) * 1000;
  EXPECT_EQ(parameters("googlenet-aux"), 6'998'552 + (512 + 1) * 128 + (528 + 1) * 128 + 2 * dense);
}

// 49 taps, 8 maps, at 28x28 places over 1 map, at 14x14 and 7x7 over 8; a decoder as large as its filters
// where it is not their transpose.
TEST(Models, SparseAutoencodersHaveTheirExactNumberOfParameters) {
  const std::int64_t tied = 49 * 8 * (784 * 1 + 196 * 8 + 49 * 8);
  EXPECT_EQ(tied, 1'075'648);
  EXPECT_EQ(parameters("sparse-autoencoder-tied"), tied);
  EXPECT_EQ(parameters("sparse-autoencoder"), 2 * tied);
  EXPECT_EQ(parameters("sparse-autoencoder-conv"), 2 * 49 * 8 * (1 + 8 + 8));
  EXPECT_EQ(parameters("sparse-autoencoder", {.input_shape = {3, 32, 32}, .width = 2, .depth = 2}),
            2 * 49 * 16 * (1024 * 3 + 256 * 16));
}

// The convolutional part of the two towers, and the paper's layers of GoogLeNet one by one.
TEST(Models, HaveThePapersNumberOfParametersInEachPart) {
  const auto alexnet = build_model("alexnet"), googlenet = build_model("googlenet");
  ASSERT_TRUE(alexnet.ok() && googlenet.ok());
  const auto count = [](const graph::Graph& graph, std::string_view prefix) {
    std::int64_t sum = 0;
    for (const tensor::Segment& segment : graph.param_layout(tensor::DType::f32).segments)
      if (segment.name.starts_with(prefix)) sum += segment.global_shape.count();
    return sum;
  };
  EXPECT_EQ(count(*alexnet, "conv"), 2'334'080);
  const std::map<std::string_view, std::int64_t> modules = {
      {"3a_", 163'696}, {"3b_", 388'736}, {"4a_", 376'176},   {"4b_", 449'160},  {"4c_", 510'104},
      {"4d_", 605'376}, {"4e_", 868'352}, {"5a_", 1'043'456}, {"5b_", 1'444'080}};
  for (const auto& [prefix, wanted] : modules) EXPECT_EQ(count(*googlenet, prefix), wanted) << prefix;
}

TEST(Models, BuildWithTheirDefaultsAndInferEveryBatch) {
  for (const ModelKind& kind : catalog()) {
    const auto graph = build_model(kind.name);
    ASSERT_TRUE(graph.ok()) << kind.name << ": " << graph.reason().text;
    const std::string depth = kind.is_depth_free && kind.name != "mlp" ? std::to_string(kind.depth) : "";
    const bool has_classes = kind.default_classes > 0;
    EXPECT_EQ(graph->labels() >= 0, has_classes);
    EXPECT_EQ(graph->name(), std::string(kind.name) + depth);
    EXPECT_EQ(graph->input_shape(), kind.default_input);
    for (const std::int64_t n : {1, 2, 64}) {
      const graph::Shapes shapes = graph->infer(n);
      EXPECT_EQ(shapes.values[static_cast<std::size_t>(graph->output())],
                has_classes ? tensor::Shape({n, kind.default_classes}) : tensor::Shape({n, 8, 4, 4}));
      EXPECT_EQ(shapes.values[static_cast<std::size_t>(graph->loss())].rank(), 0);
    }
  }
}

// Every model but the one whose paper fixes them takes any input, width and number of classes.
TEST(Models, TakeInputWidthAndClassesAsArguments) {
  for (const ModelKind& kind : catalog()) {
    if (kind.name == "lenet5-paper") continue;
    const auto graph =
        build_model(kind.name, {.input_shape = {2, 97, 83}, .classes = 7, .width = 0.3, .class_names = {}});
    ASSERT_TRUE(graph.ok()) << kind.name << ": " << graph.reason().text;
    const graph::Shapes shapes = graph->infer(2);
    EXPECT_EQ(shapes.values[static_cast<std::size_t>(graph->output())],
              kind.default_classes > 0 ? tensor::Shape({2, 7}) : tensor::Shape({2, 2, 13, 11}))
        << kind.name;
    EXPECT_LT(graph->param_layout(tensor::DType::f32).parameter_count, 40'000'000) << kind.name;
  }
}

// The channels, rows and columns that the named layers give, as the papers' tables have them.
void expect_shapes(std::string_view name, const std::map<std::string_view, tensor::Shape>& wanted) {
  const auto graph = build_model(name);
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  const graph::Shapes shapes = graph->infer(1);
  std::size_t found = 0;
  for (std::size_t v = 0; v < graph->values().size(); ++v) {
    const auto entry = wanted.find(graph->values()[v].name);
    if (entry == wanted.end()) continue;
    const std::vector<std::int64_t>& sizes = shapes.values[v].sizes();
    EXPECT_EQ(tensor::Shape({sizes.begin() + 1, sizes.end()}), entry->second) << name << " " << entry->first;
    ++found;
  }
  EXPECT_EQ(found, wanted.size()) << name;
}

TEST(Models, HaveThePapersShapes) {
  expect_shapes("lenet5-paper", {{"c1", {6, 28, 28}},
                                 {"s2", {6, 14, 14}},
                                 {"c3", {16, 10, 10}},
                                 {"s4", {16, 5, 5}},
                                 {"c5", {120}},
                                 {"f6", {84}},
                                 {"rbf", {10}}});
  expect_shapes("alexnet", {{"conv1", {96, 55, 55}},
                            {"pool1", {96, 27, 27}},
                            {"conv2", {256, 27, 27}},
                            {"conv3", {384, 13, 13}},
                            {"conv5", {256, 13, 13}},
                            {"pool5", {256, 6, 6}}});
  expect_shapes("alexnet-owt", {{"conv1", {64, 55, 55}}, {"conv2", {192, 27, 27}}, {"pool5", {256, 6, 6}}});
  expect_shapes("vgg16", {{"conv1_2", {64, 224, 224}}, {"conv5_3", {512, 14, 14}}, {"flatten", {25'088}}});
  expect_shapes("googlenet-aux", {{"conv7x7", {64, 112, 112}},
                                  {"conv3x3", {192, 56, 56}},
                                  {"3a", {256, 28, 28}},
                                  {"3b", {480, 28, 28}},
                                  {"4a", {512, 14, 14}},
                                  {"aux_4a_pool", {512, 4, 4}},
                                  {"4e", {832, 14, 14}},
                                  {"5b", {1024, 7, 7}}});
  expect_shapes("resnet152", {{"conv1", {64, 112, 112}},
                              {"conv2_3c", {256, 56, 56}},
                              {"conv3_8c", {512, 28, 28}},
                              {"conv4_36c", {1024, 14, 14}},
                              {"conv5_3c", {2048, 7, 7}}});
  expect_shapes("cifar-resnet110",
                {{"conv2_18b", {16, 32, 32}}, {"conv3_1_zeros", {32, 16, 16}}, {"conv4_18b", {64, 8, 8}}});
}

// Nine layers, the last of which is the output; a decoder of each level, which leads to the loss alone.
TEST(Models, SparseAutoencodersAreNineLayersWithoutLabels) {
  const auto graph = build_model("sparse-autoencoder");
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  EXPECT_EQ(graph->labels(), -1);
  expect_shapes("sparse-autoencoder", {{"filter1", {8, 28, 28}},
                                       {"decode1", {1, 28, 28}},
                                       {"pool1", {8, 14, 14}},
                                       {"decode2", {8, 14, 14}},
                                       {"normalise2", {8, 7, 7}},
                                       {"pool3", {8, 4, 4}},
                                       {"normalise3", {8, 4, 4}}});
  expect_shapes("sparse-autoencoder-tied", {{"autoencode2", {16, 14, 14}}, {"decode2", {8, 14, 14}}});
  EXPECT_EQ(graph->values()[static_cast<std::size_t>(graph->output())].name, "normalise3");
  // 0.1 a pooled code, over the elements that the level sees.
  std::map<std::string, double> factors;
  for (const graph::Layer& layer : graph->layers())
    if (layer.kind->op == "Scale") factors[layer.name] = layer.attributes.real("factor");
  EXPECT_DOUBLE_EQ(factors["sparsity1_weighted"], 0.1 * (8 * 14 * 14) / 784);
  EXPECT_DOUBLE_EQ(factors["sparsity3_weighted"], 0.1 * (8 * 4 * 4) / (8 * 49));
  EXPECT_NE(graph->str().find("loss_total = Sum{}(error1, sparsity1_weighted, error2, sparsity2_weighted, "
                              "error3, sparsity3_weighted)"),
            std::string::npos)
      << graph->str();
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

// Multiply-accumulates of all layers, or of those with the operator `op`.
std::int64_t macs(std::string_view name, std::int64_t batch, std::string_view op) {
  const auto graph = build_model(name);
  EXPECT_TRUE(graph.ok());
  const graph::Shapes shapes = graph->infer(batch);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < graph->layers().size(); ++i) {
    const graph::Layer& layer = graph->layers()[i];
    std::vector<tensor::Shape> inputs;
    for (const graph::ValueId id : layer.inputs)
      inputs.push_back(shapes.values[static_cast<std::size_t>(id)]);
    if (op.empty() || layer.kind->op == op)
      sum += layer.kind->work(layer.attributes, inputs, shapes.signatures[i]).macs;
  }
  return sum;
}

TEST(Models, Lenet5NeedsItsNumberOfMultiplications) {
  EXPECT_EQ(macs("lenet5", 64, ""), 64 * (117'600 + 240'000 + 48'000 + 10'080 + 840));
}

TEST(Models, AlexnetsNeedTheirNumberOfMultiplications) {
  EXPECT_EQ(macs("alexnet", 1, ""), 724'406'816);
  EXPECT_EQ(macs("alexnet-owt", 1, "Conv"), 655'566'528);
  EXPECT_EQ(macs("alexnet-owt", 1, "Gemm"), 58'621'952);
}

TEST(Models, RefuseWhatTheyCannotBuildWithTheReason) {
  EXPECT_TRUE(refusal("lenet6").starts_with("unknown model \"lenet6\"; known are alexnet, alexnet-owt, "));
  EXPECT_NE(refusal("lenet5", {.input_shape = {1, 28, 11}}).find("at least 12x12"), std::string::npos);
  EXPECT_NE(refusal("lenet5", {.input_shape = {784}}).find("{C, H, W}"), std::string::npos);
  EXPECT_NE(refusal("mlp", {.width = 0}).find("width"), std::string::npos);
  EXPECT_NE(refusal("mlp", {.width = std::nan("")}).find("width"), std::string::npos);
  EXPECT_NE(refusal("mlp", {.classes = -1}).find("-1 classes"), std::string::npos);
  EXPECT_NE(refusal("mlp", {.class_names = {"a", "b"}}).find("2 class names"), std::string::npos);
  EXPECT_NE(refusal("linear", {.input_shape = {1, 0, 3}}).find("empty"), std::string::npos);
  EXPECT_EQ(refusal("vgg16", {.input_shape = {1 << 20, 1 << 20, 1 << 20}}),
            "model vgg16: the input 1048576x1048576x1048576 is too large");
}

TEST(Models, RefuseDepthsThatTheyDoNotHave) {
  EXPECT_EQ(refusal("lenet5", {.depth = 5}), "model lenet5: it has one depth; 5 cannot be asked for");
  EXPECT_EQ(refusal("resnet50", {.depth = 101}), "model resnet50: the name says depth 50, not 101");
  EXPECT_EQ(refusal("cifar-resnet", {.depth = 21}),
            "model cifar-resnet: the depth 21 is not 6n+2, such as 20, 32, 44, 56 and 110");
  EXPECT_EQ(refusal("mlp", {.depth = -1}), "model mlp: the depth -1 is not in 1 ... 10000");
  EXPECT_EQ(refusal("vgg16", {.zero_gamma = true}),
            "model vgg16: it has no residual blocks whose scale could start at 0");
  EXPECT_EQ(parameters("resnet50", {.depth = 50}), 25'557'032);
  EXPECT_EQ(parameters("cifar-resnet", {.depth = 56}), 853'018);
  EXPECT_EQ(parameters("mlp", {.depth = 1}), 7'850);
  EXPECT_EQ(parameters("mlp", {.depth = 4}), 1'863'690 + 1025 * 1024);
}

// The smallest images that each takes, and the one pixel less that it does not.
TEST(Models, KnowTheirSmallestImage) {
  const std::map<std::string_view, std::int64_t> least = {
      {"alexnet", 63},    {"alexnet-owt", 63},       {"vgg16", 32},        {"vgg19", 32},
      {"googlenet", 47},  {"googlenet-aux", 79},     {"resnet18", 1},      {"cifar-resnet", 1},
      {"lenet5", 12},     {"sparse-autoencoder", 7}, {"lenet5-paper", 12}, {"gupta-cnn", 16},
      {"gupta-cifar", 15}};
  for (const auto& [name, pixels] : least) {
    EXPECT_GT(parameters(name, {.input_shape = {3, pixels, pixels}}), 0) << name;
    if (pixels > 1) {
      EXPECT_NE(refusal(name, {.input_shape = {3, pixels, pixels - 1}}).find("is too small; at least"),
                std::string::npos)
          << name;
    }
    EXPECT_NE(refusal(name, {.input_shape = {3, pixels}}).find("is not {C, H, W}"), std::string::npos);
  }
}

TEST(Models, Lenet5OfThePaperIsForTenDigits) {
  EXPECT_NE(refusal("lenet5-paper", {.classes = 26}).find("take lenet5"), std::string::npos);
  EXPECT_NE(refusal("lenet5-paper", {.width = 2}).find("take lenet5"), std::string::npos);
}

// What each unit of C3 sees, from the layers that pick maps: each of the six maps feeds ten of the sixteen.
TEST(Models, Lenet5OfThePaperConnectsAsItsTable) {
  const auto graph = build_model("lenet5-paper");
  ASSERT_TRUE(graph.ok());
  std::map<std::int64_t, int> uses;
  std::set<std::set<std::int64_t>> different;
  for (const graph::Layer& layer : graph->layers()) {
    if (layer.kind->op != "Gather") continue;
    const auto& seen = layer.attributes.integers("indices");
    const std::size_t each = layer.name == "c3_of3_maps" ? 3 : 4;
    for (std::size_t i = 0; i < seen.size(); i += each) {
      const std::set<std::int64_t> unit(seen.begin() + static_cast<std::ptrdiff_t>(i),
                                        seen.begin() + static_cast<std::ptrdiff_t>(i + each));
      EXPECT_EQ(unit.size(), each);
      different.insert(unit);
      for (const std::int64_t map : unit) ++uses[map];
    }
  }
  EXPECT_EQ(different.size(), 15u);
  for (std::int64_t map = 0; map < 6; ++map) EXPECT_EQ(uses[map] + 1, 10) << map;
}

// The two heads count 0.3 each, and nothing of them is on the way to the output.
TEST(Models, GoogLenetsHeadsAreLossesOnly) {
  const auto graph = build_model("googlenet-aux");
  ASSERT_TRUE(graph.ok());
  const graph::Layer& total = graph->layers().back();
  EXPECT_EQ(total.kind->op, "Sum");
  ASSERT_EQ(total.inputs.size(), 3u);
  EXPECT_EQ(graph->loss(), total.outputs[0]);
  for (std::size_t i = 1; i < 3; ++i) {
    const int producer = graph->values()[static_cast<std::size_t>(total.inputs[i])].producer;
    EXPECT_EQ(graph->layers()[static_cast<std::size_t>(producer)].attributes.real("factor"), 0.3);
  }
  const int output = graph->values()[static_cast<std::size_t>(graph->output())].producer;
  EXPECT_EQ(graph->layers()[static_cast<std::size_t>(output)].name, "fc");
}

TEST(Models, ZeroGammaStartsResidualBlocksAsTheIdentity) {
  for (const auto& [name, blocks] : {std::pair("resnet50", 16), std::pair("cifar-resnet20", 9)}) {
    const auto graph = build_model(name, {.zero_gamma = true});
    ASSERT_TRUE(graph.ok());
    int zeros = 0;
    for (const graph::Layer& layer : graph->layers())
      if (layer.kind->op == "BatchNormalization") zeros += layer.attributes.real("scale_value") == 0;
    EXPECT_EQ(zeros, blocks) << name;
  }
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
