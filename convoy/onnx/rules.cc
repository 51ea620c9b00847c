#include "convoy/onnx/rules.h"

namespace convoy::onnx {
namespace {

using graph::AttributeSpec;
using Ints = std::vector<std::int64_t>;

const AttributeSpec kNone[] = {{"consumed_inputs", Ints{}}};  // opset 5 and below wrote it, without meaning
const AttributeSpec kBroadcast[] = {
    {"axis", kNoAxis}, {"broadcast", std::int64_t{0}}, {"consumed_inputs", Ints{}}};
const AttributeSpec kAxis[] = {{"axis", kNoAxis}};
const AttributeSpec kFlattenAxis[] = {{"axis", std::int64_t{1}}};
const AttributeSpec kGather[] = {{"axis", std::int64_t{0}}};
const AttributeSpec kAxes[] = {{"axes", Ints{}}};
const AttributeSpec kReduce[] = {{"axes", Ints{}}, {"keepdims", std::int64_t{1}}};
const AttributeSpec kReshape[] = {{"allowzero", std::int64_t{0}}, {"shape", Ints{}}};
const AttributeSpec kPad[] = {{"mode", std::string("constant")}, {"pads", Ints{}}, {"value", 0.0}};
const AttributeSpec kLeaky[] = {{"alpha", 0.01}, {"consumed_inputs", Ints{}}};
const AttributeSpec kDropout[] = {{"is_test", std::int64_t{0}}, {"ratio", 0.5}, {"seed", std::int64_t{0}}};
const AttributeSpec kNorm[] = {{"epsilon", 1e-5},
                               {"is_test", std::int64_t{0}},
                               {"momentum", 0.9},
                               {"spatial", std::int64_t{1}},
                               {"training_mode", std::int64_t{0}}};
const AttributeSpec kLrn[] = {
    {"alpha", 1e-4}, {"beta", 0.75}, {"bias", 1.0}, {"size", std::int64_t{0}, true}};
const AttributeSpec kConv[] = {{"auto_pad", std::string("NOTSET")},
                               {"dilations", Ints{}},
                               {"group", std::int64_t{1}},
                               {"kernel_shape", Ints{}},
                               {"pads", Ints{}},
                               {"strides", Ints{}}};
const AttributeSpec kMaxPool[] = {{"auto_pad", std::string("NOTSET")},
                                  {"ceil_mode", std::int64_t{0}},
                                  {"dilations", Ints{}},
                                  {"kernel_shape", Ints{}, true},
                                  {"pads", Ints{}},
                                  {"storage_order", std::int64_t{0}},
                                  {"strides", Ints{}}};
const AttributeSpec kAveragePool[] = {{"auto_pad", std::string("NOTSET")},
                                      {"ceil_mode", std::int64_t{0}},
                                      {"count_include_pad", std::int64_t{0}},
                                      {"kernel_shape", Ints{}, true},
                                      {"pads", Ints{}},
                                      {"strides", Ints{}}};
const AttributeSpec kLpPool[] = {{"auto_pad", std::string("NOTSET")},
                                 {"kernel_shape", Ints{}, true},
                                 {"p", std::int64_t{2}},
                                 {"pads", Ints{}},
                                 {"strides", Ints{}}};
const AttributeSpec kGemm[] = {{"alpha", 1.0},
                               {"beta", 1.0},
                               {"broadcast", std::int64_t{0}},
                               {"transA", std::int64_t{0}},
                               {"transB", std::int64_t{0}}};

const Rule kRules[] = {
    {"Add", kBroadcast, translate_broadcast},
    {"AveragePool", kAveragePool, translate_average_pool},
    {"BatchNormalization", kNorm, translate_batch_normalization},
    {"Concat", kAxis, translate_concat},
    {"Conv", kConv, translate_conv},
    {"Dropout", kDropout, translate_dropout},
    {"Flatten", kFlattenAxis, translate_flatten},
    {"Gather", kGather, translate_gather},
    {"Gemm", kGemm, translate_gemm},
    {"GlobalAveragePool", {}, translate_global_average_pool},
    {"Identity", {}, translate_identity},
    {"LRN", kLrn, translate_lrn},
    {"LeakyRelu", kLeaky, translate_activation},
    {"LogSoftmax", kAxis, translate_softmax},
    {"LpPool", kLpPool, translate_lp_pool},
    {"MatMul", {}, translate_matmul},
    {"MaxPool", kMaxPool, translate_max_pool},
    {"Mul", kBroadcast, translate_broadcast},
    {"Pad", kPad, translate_pad},
    {"ReduceMean", kReduce, translate_reduce_mean},
    {"Relu", kNone, translate_activation},
    {"Reshape", kReshape, translate_reshape},
    {"Sigmoid", kNone, translate_activation},
    {"Softmax", kAxis, translate_softmax},
    {"Squeeze", kAxes, translate_squeeze},
    {"Sum", kNone, translate_broadcast},
    {"Tanh", kNone, translate_activation},
    {"Unsqueeze", kAxes, translate_unsqueeze},
};

}  // namespace

const Rule* find_rule(std::string_view op) {
  for (const Rule& rule : kRules)
    if (rule.op == op) return &rule;
  return nullptr;
}

std::string readable_ops() {
  std::string names = "Constant, SoftmaxCrossEntropyLoss";
  for (const Rule& rule : kRules) names += ", " + std::string(rule.op);
  return names;
}

}  // namespace convoy::onnx
