#include "convoy/graph/graph.h"

#include <algorithm>

#include "convoy/base/check.h"

namespace convoy::graph {
namespace {

tensor::Shape batched(std::int64_t n, const tensor::Shape& sample_shape) {
  std::vector<std::int64_t> sizes = {n};
  sizes.insert(sizes.end(), sample_shape.begin(), sample_shape.end());
  return tensor::Shape(std::move(sizes));
}

std::vector<tensor::Shape> input_shapes(const Layer& layer, const std::vector<tensor::Shape>& values) {
  std::vector<tensor::Shape> shapes;
  for (const ValueId id : layer.inputs) shapes.push_back(values[static_cast<std::size_t>(id)]);
  return shapes;
}

}  // namespace

std::vector<int> Graph::consumers(ValueId value) const {
  std::vector<int> readers;
  for (std::size_t i = 0; i < layers_.size(); ++i)
    for (const ValueId input : layers_[i].inputs)
      if (input == value) readers.push_back(static_cast<int>(i));
  return readers;
}

Shapes Graph::infer(std::int64_t n) const {
  Shapes shapes;
  shapes.values.resize(values_.size());
  shapes.values[0] = batched(n, input_shape_);
  if (labels_ >= 0) shapes.values[static_cast<std::size_t>(labels_)] = tensor::Shape{n};
  for (const Layer& layer : layers_) {
    base::Result<Signature> signature =
        layer.kind->infer(layer.attributes, input_shapes(layer, shapes.values));
    CONVOY_CHECK(signature.ok(), "layer ", layer.name, ": ", signature.reason().text);
    CONVOY_CHECK(signature->outputs.size() == layer.outputs.size(), "layer ", layer.name);
    for (std::size_t o = 0; o < layer.outputs.size(); ++o)
      shapes.values[static_cast<std::size_t>(layer.outputs[o])] = signature->outputs[o];
    shapes.signatures.push_back(std::move(signature).value());
  }
  return shapes;
}

tensor::ParamLayout Graph::param_layout(tensor::DType type) const {
  tensor::ParamLayout layout;
  layout.type = type;
  const Shapes shapes = infer(1);
  for (std::size_t i = 0; i < layers_.size(); ++i)
    for (const ParamSpec& spec : shapes.signatures[i].params)
      layout.append_replicated(layers_[i].name + "." + spec.name, spec.shape, spec.kind, spec.role);
  return layout;
}

std::string Graph::str() const {
  std::string text = "graph " + name_ + " " + input_shape_.str() + "\n";
  for (const Layer& layer : layers_) {
    text += layer.name + " = " + std::string(layer.kind->op) + layer.attributes.str() + "(";
    for (std::size_t i = 0; i < layer.inputs.size(); ++i)
      text += (i == 0 ? "" : ", ") + values_[static_cast<std::size_t>(layer.inputs[i])].name;
    text += ")\n";
  }
  text += "output " + values_[static_cast<std::size_t>(output_)].name + "\n";
  if (loss_ >= 0) text += "loss " + values_[static_cast<std::size_t>(loss_)].name + "\n";
  for (const std::string& name : class_names_) text += "class " + name + "\n";
  return text;
}

std::uint64_t Graph::hash() const {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, 64 bits
  for (const char c : str()) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace convoy::graph
