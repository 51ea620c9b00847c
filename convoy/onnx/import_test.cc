// What is read, opset by opset, and what is refused, word by word.
#include "convoy/onnx/import.h"

#include <gtest/gtest.h>

#include "convoy/base/error.h"
#include "convoy/onnx/test_models.h"

namespace convoy::onnx {
namespace {

std::string refusal(const FileModel& model, const ImportOptions& options = {}) {
  try {
    static_cast<void>(import_model(model, "m.onnx", options));
  } catch (const base::InputError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "imported";
}

// The graph's lines of layers but for an added loss.
std::string layers_of(const FileModel& model, const ImportOptions& options = {}) {
  const std::string text = import_model(model, "m.onnx", options).graph.str();
  const std::size_t begin = text.find('\n') + 1;
  return text.substr(begin, std::min(text.find("loss = "), text.find("output ")) - begin);
}

std::vector<float> weight(const FileModel& model, const std::string& segment) {
  const ImportedModel imported = import_model(model, "m.onnx");
  const auto values = imported.weights.at(segment)->as<float>();
  return {values.begin(), values.end()};
}

TEST(Import, ReadsAConvolutionWithWhatItsWeightsSay) {
  const FileModel model =
      one_node(node("Conv", {"x", "stem.weight", "stem.bias"}, {"y"}, {{"pads", Sizes{1, 0, 2, 1}}}),
               {values("stem.weight", {4, 3, 3, 2}), values("stem.bias", {4})});
  EXPECT_EQ(
      layers_of(model),
      "stem = Conv{auto_pad=\"NOTSET\", bias_value=0.0, dilations=[], group=1, has_bias=1, "
      "initialiser=\"he\", kernel_shape=[3,2], output_channels=4, pads=[1,0,2,1], strides=[]}(input)\n");
  EXPECT_EQ(weight(model, "stem.bias"), (std::vector<float>{1, 2, 3, 4}));
}

TEST(Import, FoldsFactorsAndTranspositionIntoGemm) {
  const FileModel model = one_node(node("Gemm", {"x", "b", "c"}, {"y"}, {{"alpha", 0.5}, {"beta", 2.0}}),
                                   {values("b", {2, 3}), values("c", {1, 3})}, 13, {7, 2});
  EXPECT_EQ(weight(model, "Gemm_0.weight"), (std::vector<float>{0.5, 2, 1, 2.5, 1.5, 3}));
  EXPECT_EQ(weight(model, "Gemm_0.bias"), (std::vector<float>{2, 4, 6}));
}

TEST(Import, RepeatsAScalarBias) {
  const FileModel model =
      one_node(node("Gemm", {"x", "b", "c"}, {"y"}), {values("b", {2, 3}), values("c", {})}, 13, {7, 2});
  EXPECT_EQ(weight(model, "Gemm_0.bias"), (std::vector<float>{1, 1, 1}));
}

TEST(Import, TakesTheRatioOfDropoutFromWhereItsOpsetHasIt) {
  const std::string wanted = "Dropout_0 = Dropout{ratio=0.10000000000000001}(input)\n";
  EXPECT_EQ(layers_of(one_node(node("Dropout", {"x"}, {"y"}, {{"ratio", 0.1}}), {}, 7)), wanted);
  EXPECT_EQ(layers_of(one_node(node("Dropout", {"x", "r"}, {"y"}), {values("r", {}, 0.1f)}, 13)), wanted);
  EXPECT_EQ(layers_of(one_node(node("Dropout", {"x"}, {"y"}), {}, 12)),
            "Dropout_0 = Dropout{ratio=0.5}(input)\n");
}

TEST(Import, NormalisesAllFromTheAxisOnBeforeOpset13) {
  const FileNode softmax = node("Softmax", {"x"}, {"y"});
  EXPECT_EQ(layers_of(one_node(softmax, {}, 13)), "Softmax_0 = Softmax{axis=-1}(input)\n");
  EXPECT_EQ(layers_of(one_node(softmax, {}, 12)),
            "Softmax_0_flat = Reshape{shape=[0,1,75]}(input)\nSoftmax_0 = Softmax{axis=-1}(Softmax_0_flat)\n"
            "Softmax_0_back = Reshape{shape=[0,3,5,5]}(Softmax_0)\n");
  EXPECT_EQ(layers_of(one_node(softmax, {}, 7, {4, 10})), "Softmax_0 = Softmax{axis=1}(input)\n");
}

TEST(Import, ReadsTheBatchOutOfAShape) {
  const auto reshape = [](const Sizes& shape) {
    return layers_of(one_node(node("Reshape", {"x", "s"}, {"y"}), {make_integers("s", shape)}));
  };
  EXPECT_EQ(reshape({2, 75}), "Reshape_0 = Reshape{shape=[0,75]}(input)\n");
  EXPECT_EQ(reshape({-1, 75}), "Reshape_0 = Reshape{shape=[-1,75]}(input)\n");
  EXPECT_EQ(reshape({0, -1}), "Reshape_0 = Reshape{shape=[0,-1]}(input)\n");
}

TEST(Import, TakesAxesFromAttributesAndInputs) {
  const std::string wanted = "Unsqueeze_0 = Reshape{shape=[0,3,1,5,5]}(input)\n";
  EXPECT_EQ(layers_of(one_node(node("Unsqueeze", {"x"}, {"y"}, {{"axes", Sizes{2}}}), {}, 11)), wanted);
  EXPECT_EQ(layers_of(one_node(node("Unsqueeze", {"x", "a"}, {"y"}), {make_integers("a", {-3})}, 13)),
            wanted);
  EXPECT_EQ(layers_of(one_node(node("Squeeze", {"x"}, {"y"}), {}, 13, {2, 3, 1, 5})),
            "Squeeze_0 = Reshape{shape=[0,3,5]}(input)\n");
  EXPECT_EQ(
      layers_of(one_node(
          node("ReduceMean", {"x"}, {"y"}, {{"axes", Sizes{-2, -1}}, {"keepdims", std::int64_t{0}}}))),
      "ReduceMean_0 = GlobalAveragePool{}(input)\nReduceMean_0_flat = Reshape{shape=[0,3]}(ReduceMean_0)\n");
}

TEST(Import, LaysConstantsOnTheLastDimensionsOrFromAnAxis) {
  const std::string last = "Parameter{initialiser=\"constant:0\", learned=1, shape=[1,1,5]}(input)\n";
  EXPECT_EQ(layers_of(one_node(node("Add", {"x", "c"}, {"y"}), {values("c", {5})})),
            "c = " + last + "Add_0 = Add{}(input, c)\n");
  const std::string channels = "Parameter{initialiser=\"constant:0\", learned=1, shape=[3,1,1]}(input)\n";
  const FileNode old =
      node("Mul", {"x", "c"}, {"y"}, {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{1}}});
  EXPECT_EQ(layers_of(one_node(old, {values("c", {3})}, 6)), "c = " + channels + "Mul_0 = Mul{}(input, c)\n");
}

TEST(Import, FoldsConstantAndIdentity) {
  FileModel model = one_node(node("Add", {"x", "c2"}, {"sum"}));
  model.nodes.insert(model.nodes.begin(),
                     {node("Constant", {}, {"c"}, {{"value_float", 2.5}}), node("Identity", {"c"}, {"c2"})});
  model.nodes.push_back(node("Identity", {"sum"}, {"y"}));
  EXPECT_EQ(layers_of(model),
            "c2 = Parameter{initialiser=\"constant:0\", learned=0, shape=[1,1,1]}(input)\nAdd_0 = "
            "Add{}(input, c2)\n");
}

TEST(Import, TakesZerosOfAPadIntoPads) {
  const auto padded = [](const Sizes& pads, FileNode next, std::vector<FileTensor> weights = {}) {
    FileModel model = one_node(node("Pad", {"x", "p"}, {"padded"}), std::move(weights));
    model.initialisers.push_back(make_integers("p", pads));
    model.nodes.push_back(std::move(next));
    return model;
  };
  const Sizes one = {0, 0, 0, 1, 0, 0, 1, 0}, none(8, 0);
  EXPECT_EQ(layers_of(padded(none, node("Relu", {"padded"}, {"y"}))), "Relu_0 = Relu{}(input)\n");
  const FileNode pool =
      node("AveragePool", {"padded"}, {"y"}, {{"kernel_shape", Sizes{2, 2}}, {"pads", Sizes{0, 0, 0, 0}}});
  EXPECT_EQ(layers_of(padded(one, pool)),
            "AveragePool_0 = AveragePool{auto_pad=\"NOTSET\", ceil_mode=0, count_include_pad=1, "
            "kernel_shape=[2,2], "
            "pads=[0,1,1,0], strides=[]}(input)\n");
  EXPECT_NE(layers_of(padded(one, node("Conv", {"padded", "w"}, {"y"}, {{"pads", Sizes{1, 1, 1, 1}}}),
                             {values("w", {1, 3, 1, 1})}))
                .find("pads=[1,2,2,1]"),
            std::string::npos);
}

TEST(Import, GivesAClassifierALossOnItsLogits) {
  FileModel model = one_node(node("Gemm", {"x", "w"}, {"scores"}), {values("w", {4, 3})}, 13, {2, 4});
  model.nodes.push_back(node("Softmax", {"scores"}, {"y"}));
  EXPECT_NE(import_model(model, "m")
                .graph.str()
                .find("loss = SoftmaxCrossEntropyLoss{reduction=\"mean\"}(Gemm_0, labels)\n"
                      "output Softmax_0\nloss loss\n"),
            std::string::npos);
  EXPECT_EQ(import_model(one_node(node("Relu", {"x"}, {"y"})), "m").graph.loss(), -1);
}

TEST(Import, DropsWhatDoesNotLeadToTheOutput) {
  FileModel model = one_node(node("Relu", {"x"}, {"y"}));
  model.nodes.push_back(node("NonMaxSuppression", {"x"}, {"boxes"}));
  EXPECT_EQ(layers_of(model), "Relu_0 = Relu{}(input)\n");
  model.outputs.push_back({.name = "boxes"});
  EXPECT_EQ(refusal(model), "m.onnx: it has 2 outputs ('y', 'boxes'); one is supported: choose it");
  EXPECT_EQ(layers_of(model, {.output = "y"}), "Relu_0 = Relu{}(input)\n");
}

TEST(Import, TakesTheWholeInputForOneSampleWhereItHasNoBatch) {
  const ImportOptions whole = {.has_batch = false};
  EXPECT_EQ(layers_of(one_node(node("Softmax", {"x"}, {"y"}, {{"axis", std::int64_t{0}}})), whole),
            "Softmax_0 = Softmax{axis=1}(input)\n");
  EXPECT_EQ(layers_of(one_node(node("Flatten", {"x"}, {"y"}, {{"axis", std::int64_t{2}}})), whole),
            "Flatten_0 = Reshape{shape=[0,6,25]}(input)\n");
  EXPECT_EQ(refusal(one_node(node("GlobalAveragePool", {"x"}, {"y"})), whole),
            "m.onnx: node 'GlobalAveragePool_0' (GlobalAveragePool): it needs an input whose dimension 0 is "
            "the batch");
}

TEST(Import, KeepsNamesThatALayerCanHaveAndMakesThemDiffer) {
  FileModel model = one_node(node("Relu", {"x"}, {"a"}));
  model.nodes[0].name = "input";
  model.nodes.push_back(node("Relu", {"a"}, {"y"}));
  model.nodes[1].name = "re lu (2)";
  EXPECT_EQ(layers_of(model), "input_2 = Relu{}(input)\nre_lu__2_ = Relu{}(input_2)\n");
}

TEST(Refusals, NameNodeOperatorAndReason) {
  EXPECT_EQ(refusal(one_node(node("LSTM", {"x"}, {"y"}))).substr(0, 62),
            "m.onnx: node 'LSTM_0' (LSTM): this operator is not supported; ");
  EXPECT_EQ(refusal(one_node(node("Relu", {"x"}, {"y"}, {{"slope", 1.0}}))),
            "m.onnx: node 'Relu_0' (Relu): unknown attribute slope; known are consumed_inputs");
  EXPECT_EQ(refusal(one_node(node("Flatten", {"x"}, {"y"}, {{"axis", std::int64_t{2}}}))),
            "m.onnx: node 'Flatten_0' (Flatten): layer Flatten_0 (Flatten of Nx3x5x5): axis 2 does not keep "
            "the batch "
            "dimension; take axis 1");
  EXPECT_EQ(refusal(one_node(node("Conv", {"x", "w"}, {"y"}), {values("w", {4, 2, 3, 3})})),
            "m.onnx: Conv_0.weight: tensor 'w' is 4x2x3x3, not 4x3x3x3");
  EXPECT_EQ(refusal(one_node(node("Conv", {"x", "x"}, {"y"}))),
            "m.onnx: node 'Conv_0' (Conv): input 2 'x' is computed; only an initialiser or a Constant is "
            "supported there");
  EXPECT_EQ(refusal(one_node(node("Gemm", {"x", "w"}, {"y"}, {{"transA", std::int64_t{1}}}),
                             {values("w", {4, 2})}, 13, {3, 4})),
            "m.onnx: node 'Gemm_0' (Gemm): transA=1 would make the features the batch");
  FileModel foreign = one_node(node("Relu", {"x"}, {"y"}));
  foreign.nodes[0].domain = "com.example";
  EXPECT_EQ(refusal(foreign), "m.onnx: node 'Relu_0' (Relu): operators of 'com.example' are not supported");
}

TEST(Refusals, OfOpsetsAndTypes) {
  EXPECT_EQ(refusal(one_node(node("Relu", {"x"}, {"y"}), {}, 18)),
            "m.onnx: its operators are of opset 18; 1 to 17 are supported: export it with one of these");
  EXPECT_EQ(refusal(one_node(node("Relu", {"x"}, {"y"}), {}, 0)),
            "m.onnx: its operators are of opset 0; 1 to 17 are supported: export it with one of these");
  FileModel bytes = one_node(node("Relu", {"x"}, {"y"}));
  bytes.inputs[0].type = static_cast<ElementType>(2);
  EXPECT_EQ(refusal(bytes), "m.onnx: input 'x' is of uint8; float32 is supported");
}

TEST(Hostile, CyclesAndMissingInputs) {
  FileModel cycle = one_node(node("Add", {"x", "b"}, {"a"}));
  cycle.nodes.push_back(node("Relu", {"a"}, {"b"}));
  cycle.outputs[0].name = "b";
  EXPECT_EQ(
      refusal(cycle),
      "m.onnx: node 'Add_0' (Add): its input 'b' comes from node 'Relu_0' (Relu) behind it: the graph has a "
      "cycle, or its nodes are not in order");
  EXPECT_EQ(
      refusal(one_node(node("Add", {"x", "y"}, {"y"}))),
      "m.onnx: node 'Add_0' (Add): its input 'y' comes from node 'Add_0' (Add) behind it: the graph has a "
      "cycle, or its nodes are not in order");
  EXPECT_EQ(refusal(one_node(node("Add", {"x", "ghost"}, {"y"}))),
            "m.onnx: node 'Add_0' (Add): its input 'ghost' comes from nowhere");
  EXPECT_EQ(refusal(one_node(node("Add", {}, {"y"}))), "m.onnx: its output depends on no input");
}

TEST(Hostile, NamesThatComeTwice) {
  FileModel outputs = one_node(node("Relu", {"x"}, {"y"}));
  outputs.nodes.push_back(node("Tanh", {"x"}, {"y"}));
  EXPECT_EQ(refusal(outputs), "m.onnx: node 'Tanh_0' (Tanh): its output 'y' has another source already");
  EXPECT_EQ(refusal(one_node(node("Relu", {"x"}, {"x"}))),
            "m.onnx: node 'Relu_0' (Relu): its output 'x' has another source already");
  FileModel inputs = one_node(node("Relu", {"x"}, {"y"}));
  inputs.inputs.push_back(inputs.inputs[0]);
  EXPECT_EQ(refusal(inputs), "m.onnx: input 'x' comes twice");
  EXPECT_EQ(refusal(one_node(node("Add", {"x", "c"}, {"y"}), {values("c", {5}), values("c", {5})})),
            "m.onnx: initialiser 'c' comes twice");
}

TEST(Hostile, SizesThatAreNone) {
  EXPECT_EQ(refusal(one_node(node("Relu", {"x"}, {"y"}), {}, 13, {2, -3, 5})),
            "m.onnx: input 'x': dimension 1 has the size -3");
  EXPECT_EQ(refusal(one_node(node("Relu", {"x"}, {"y"}), {}, 13, {2, 0})),
            "m.onnx: input 'x': dimension 1 has the size 0");
  EXPECT_NE(
      refusal(one_node(node("Relu", {"x"}, {"y"}), {}, 13, {2, std::int64_t{1} << 40, std::int64_t{1} << 40}))
          .find("is empty or too large"),
      std::string::npos);
  FileModel open = one_node(node("Relu", {"x"}, {"y"}));
  open.inputs[0].dims[3] = {.symbol = "width"};
  EXPECT_EQ(refusal(open), "m.onnx: input 'x': dimension 3 'width' has no size; only the batch may vary");
  EXPECT_NE(
      refusal(one_node(node("MaxPool", {"x"}, {"y"}, {{"kernel_shape", Sizes{std::int64_t{1} << 60, 1}}})))
          .find("kernel_shape has the entry"),
      std::string::npos);
  EXPECT_NE(refusal(one_node(node("Reshape", {"x", "s"}, {"y"}),
                             {make_integers("s", {0, std::int64_t{1} << 62, std::int64_t{1} << 62})}))
                .find("shape"),
            std::string::npos);
}

TEST(Hostile, NamesInMessagesStayOnOneLine) {
  FileModel model = one_node(node("Re\nlu", {"x"}, {"y"}));
  model.nodes[0].name = std::string(5000, 'n');
  EXPECT_LT(refusal(model).size(), 1000u);
  FileModel metadata = one_node(node("Relu", {"x"}, {"y"}));
  metadata.metadata["convoy.loss"] = "{";
  EXPECT_NE(refusal(metadata).find("m.onnx: metadata convoy.loss: "), std::string::npos);
  metadata.metadata["convoy.loss"] = R"({"name":"l","op":"Relu","attributes":"{}","inputs":["x"]})";
  EXPECT_EQ(refusal(metadata), "m.onnx: metadata convoy.loss: 'Relu' is no loss");
}

}  // namespace
}  // namespace convoy::onnx
