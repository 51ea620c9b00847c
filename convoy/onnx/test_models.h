// Small models for tests, written down as a file would have them.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "convoy/onnx/file_model.h"

namespace convoy::onnx {

using Sizes = std::vector<std::int64_t>;

inline FileValue image(const std::string& name, const Sizes& sizes, ElementType type = ElementType::f32) {
  FileValue value{.name = name, .type = type, .has_shape = true};
  for (const std::int64_t size : sizes) value.dims.push_back({.size = size});
  return value;
}

inline FileTensor values(const std::string& name, const Sizes& sizes, float first = 1, float step = 1) {
  auto tensor = std::make_shared<tensor::Tensor>(tensor::DType::f32, tensor::Shape(sizes));
  for (float& value : tensor->as<float>()) {
    value = first;
    first += step;
  }
  return make_reals(name, sizes, std::move(tensor));
}

inline FileNode node(const std::string& op, std::vector<std::string> inputs, std::vector<std::string> outputs,
                     std::map<std::string, FileAttribute, std::less<>> attributes = {}) {
  return {.name = op + "_0",
          .op = op,
          .inputs = std::move(inputs),
          .outputs = std::move(outputs),
          .attributes = std::move(attributes)};
}

// x {2, 3, 5, 5} through one node to y.
inline FileModel one_node(FileNode only, std::vector<FileTensor> initialisers = {}, std::int64_t opset = 13,
                          const Sizes& input = {2, 3, 5, 5}) {
  FileModel model{.graph_name = "g", .opset = opset};
  model.nodes = {std::move(only)};
  model.initialisers = std::move(initialisers);
  model.inputs = {image("x", input)};
  model.outputs = {{.name = "y"}};
  return model;
}

}  // namespace convoy::onnx
