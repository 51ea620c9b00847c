#include "convoy/onnx/export.h"

#include <algorithm>
#include <set>
#include <utility>

#include "convoy/layers/catalog.h"

namespace convoy::onnx {
namespace {

using graph::Layer;
using graph::ValueId;
using Ints = std::vector<std::int64_t>;

// The attributes that ONNX's operator of that name has, too.
struct Carried {
  std::string_view op;
  std::vector<std::string_view> attributes;
};

const std::vector<Carried>& carried() {
  static const std::vector<Carried> kCarried = {
      {"Add", {}},
      {"AveragePool", {"auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"}},
      {"BatchNormalization", {"epsilon", "momentum"}},
      {"Concat", {"axis"}},
      {"Conv", {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}},
      {"Dropout", {}},
      {"Flatten", {"axis"}},
      {"Gather", {"axis"}},
      {"Gemm", {}},
      {"GlobalAveragePool", {}},
      {"LeakyRelu", {"alpha"}},
      {"LogSoftmax", {"axis"}},
      {"LRN", {"alpha", "beta", "bias", "size"}},
      {"LpPool", {"auto_pad", "kernel_shape", "p", "pads", "strides"}},
      {"MaxPool", {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides"}},
      {"Mul", {}},
      {"Pad", {}},
      {"Relu", {}},
      {"Reshape", {}},
      {"Scale", {}},
      {"Sigmoid", {}},
      {"Softmax", {"axis"}},
      {"Sum", {}},
      {"Tanh", {}},
  };
  return kCarried;
}

const Carried* find_carried(std::string_view op) {
  for (const Carried& entry : carried())
    if (entry.op == op) return &entry;
  return nullptr;
}

FileAttribute to_file(const graph::AttributeValue& value) {
  return std::visit([](const auto& v) -> FileAttribute { return v; }, value);
}

// Empty lists and auto_pad beside pads are how layers say "default"; ONNX wants them left out.
bool is_worth_writing(const std::string& name, const graph::AttributeValue& value,
                      const graph::Attributes& all) {
  if (const auto* list = std::get_if<Ints>(&value)) {
    const bool has_auto_pad = all.has("auto_pad") && all.text("auto_pad") != "NOTSET";
    return !list->empty() && !(name == "pads" && has_auto_pad);
  }
  return name != "auto_pad" || all.text("auto_pad") != "NOTSET";
}

class Exporter {
 public:
  explicit Exporter(const ExportRequest& request) : request_(request), graph_(request.graph) {
    for (const graph::Value& value : graph_.values()) names_.insert(value.name);
  }

  base::Result<ExportedModel> run() {
    find_needed();
    file().graph_name = graph_.name();
    file().opset = kExportOpset;
    const graph::Shapes shapes = graph_.infer(1);
    for (std::size_t i = 0; i < graph_.layers().size(); ++i) {
      const Layer& layer = graph_.layers()[i];
      if (!needed_[i]) {
        if (layer.outputs[0] != graph_.loss()) exported_.left_out.push_back(layer.name);
        continue;
      }
      if (const auto verdict = write(layer, shapes.signatures[i]); !verdict)
        return base::Reason{
            base::str("layer ", layer.name, " (", layer.kind->op, "): ", verdict.reason().text)};
      const graph::Attributes training = training_attributes(*layer.kind, layer.attributes);
      if (!training.values().empty()) metadata_.layers[layer.name] = training;
    }
    write_ends(shapes);
    write_metadata();
    return std::move(exported_);
  }

 private:
  FileModel& file() { return exported_.file; }
  const std::string& name_of(ValueId value) const {
    return graph_.values()[static_cast<std::size_t>(value)].name;
  }

  // Backwards from the output.
  void find_needed() {
    needed_.assign(graph_.layers().size(), false);
    std::set<ValueId> wanted = {graph_.output()};
    for (std::size_t i = graph_.layers().size(); i-- > 0;) {
      const Layer& layer = graph_.layers()[i];
      if (!wanted.contains(layer.outputs[0])) continue;
      needed_[i] = true;
      wanted.insert(layer.inputs.begin(), layer.inputs.end());
    }
  }

  base::Verdict write(const Layer& layer, const graph::Signature& signature) {
    if (layer.kind == &layers::kParameter) return write_parameter(layer);
    const Carried* carried = find_carried(layer.kind->op);
    if (carried == nullptr) return base::Reason{"ONNX has no such operator"};
    FileNode node{.name = layer.name, .op = std::string(layer.kind->op), .outputs = {layer.name}};
    for (const ValueId input : layer.inputs) {
      if (is_parameter(input) && !takes_parameters(layer))
        return base::Reason{"ONNX repeats a constant along the batch in Add, Mul and Sum alone"};
      node.inputs.push_back(name_of(input));
    }
    for (const std::string_view name : carried->attributes) {
      const auto& [key, value] = *layer.attributes.values().find(name);
      if (is_worth_writing(key, value, layer.attributes)) node.attributes[key] = to_file(value);
    }
    if (const auto verdict = write_weights(layer, signature, node); !verdict) return verdict;
    write_special(layer, node);
    file().nodes.push_back(std::move(node));
    return {};
  }

  // The name for a tensor, which no other value has.
  std::string fresh(const std::string& wish) {
    std::string name = wish;
    for (int k = 2; !names_.insert(name).second; ++k) name = base::str(wish, "_", k);
    return name;
  }

  // Where ONNX has an input for what is an attribute of the layer.
  void write_special(const Layer& layer, FileNode& node) {
    const std::string_view op = layer.kind->op;
    const graph::Attributes& attributes = layer.attributes;
    if (op == "Gemm") node.attributes["transB"] = std::int64_t{1};
    if (op == "Reshape") add_input(node, ".shape", attributes.integers("shape"));
    if (op == "Dropout") add_input(node, ".ratio", attributes.real("ratio"));
    if (op == "Gather") add_input(node, ".indices", attributes.integers("indices"));
    if (op == "Pad") {
      add_input(node, ".pads", attributes.integers("pads"));
      add_input(node, ".value", attributes.real("value"));
    }
    if (op == "Scale") write_factor(node, attributes.real("factor"));
  }

  void add_input(FileNode& node, const char* suffix, const Ints& values) {
    node.inputs.push_back(fresh(node.name + suffix));
    file().initialisers.push_back(make_integers(node.inputs.back(), values));
  }
  void add_input(FileNode& node, const char* suffix, double value) {
    node.inputs.push_back(fresh(node.name + suffix));
    file().initialisers.push_back(scalar(node.inputs.back(), value));
  }

  // Mul by a Constant and not an initialiser, because nobody learns it.
  void write_factor(FileNode& node, double factor) {
    node.op = "Mul";
    node.inputs.push_back(fresh(node.name + ".factor"));
    FileNode constant{.name = node.inputs.back(), .op = "Constant", .outputs = {node.inputs.back()}};
    constant.attributes["value"] = scalar(node.inputs.back(), factor);
    file().nodes.push_back(std::move(constant));
  }

  static FileTensor scalar(const std::string& name, double value) {
    auto values = std::make_shared<tensor::Tensor>(tensor::DType::f32, tensor::Shape{});
    values->as<float>()[0] = static_cast<float>(value);
    return make_reals(name, {}, std::move(values));
  }

  base::Verdict write_weights(const Layer& layer, const graph::Signature& signature, FileNode& node) {
    for (const graph::ParamSpec& param : signature.params) {
      const std::string segment = layer.name + "." + param.name;
      auto values = weight(segment, param.shape.sizes());
      if (!values) return values.reason();
      node.inputs.push_back(fresh(segment));
      file().initialisers.push_back(std::move(values).value());
      file().initialisers.back().name = node.inputs.back();
    }
    return {};
  }

  base::Result<FileTensor> weight(const std::string& segment, Ints sizes) const {
    const auto found = request_.weights.find(segment);
    if (found == request_.weights.end()) return base::Reason{base::str(segment, " has no values")};
    return make_reals(segment, std::move(sizes), found->second);
  }

  bool is_parameter(ValueId value) const {
    const int producer = graph_.values()[static_cast<std::size_t>(value)].producer;
    return producer >= 0 && graph_.layers()[static_cast<std::size_t>(producer)].kind == &layers::kParameter;
  }

  // Beside an operand of the batch's size a constant is repeated.
  bool takes_parameters(const Layer& layer) const {
    const bool repeats =
        layer.kind == &layers::kAdd || layer.kind == &layers::kMul || layer.kind == &layers::kSum;
    return repeats &&
           !std::all_of(layer.inputs.begin(), layer.inputs.end(), [&](ValueId v) { return is_parameter(v); });
  }

  base::Verdict write_parameter(const Layer& layer) {
    if (layer.outputs[0] == graph_.output()) return base::Reason{"a constant is no output"};
    Ints sizes = layer.attributes.integers("shape");
    sizes.insert(sizes.begin(), 1);
    auto values = weight(layer.name + ".value", sizes);
    if (!values) return values.reason();
    FileTensor tensor = std::move(values).value();
    tensor.name = layer.name;
    if (layer.attributes.integer("learned") != 0) {
      file().initialisers.push_back(std::move(tensor));
      return {};
    }
    FileNode node{.name = layer.name, .op = "Constant", .outputs = {layer.name}};
    node.attributes["value"] = std::move(tensor);
    file().nodes.push_back(std::move(node));
    return {};
  }

  FileValue value(ValueId id, const graph::Shapes& shapes) const {
    FileValue value{.name = name_of(id), .type = ElementType::f32, .has_shape = true};
    for (const std::int64_t size : shapes.values[static_cast<std::size_t>(id)])
      value.dims.push_back({.size = size});
    value.dims[0] = {.symbol = "N"};
    return value;
  }

  void write_ends(const graph::Shapes& shapes) {
    file().inputs.push_back(value(graph_.input(), shapes));
    file().outputs.push_back(value(graph_.output(), shapes));
  }

  // A loss over values that the file does not have (a branch that only trains) stays out with them.
  void write_metadata() {
    metadata_.class_names = graph_.class_names();
    metadata_.input = request_.input;
    if (graph_.loss() >= 0) {
      const int index = graph_.values()[static_cast<std::size_t>(graph_.loss())].producer;
      const Layer& layer = graph_.layers()[static_cast<std::size_t>(index)];
      LossMetadata loss{
          .name = layer.name, .op = std::string(layer.kind->op), .attributes = layer.attributes};
      bool is_complete = layer.kind->traits.is_loss;
      for (const ValueId input : layer.inputs) {
        loss.inputs.push_back(name_of(input));
        const int producer = graph_.values()[static_cast<std::size_t>(input)].producer;
        is_complete = is_complete && (producer < 0 || needed_[static_cast<std::size_t>(producer)]);
      }
      if (is_complete)
        metadata_.loss = std::move(loss);
      else
        exported_.left_out.push_back(layer.name);
    }
    file().metadata = to_props(metadata_);
  }

  const ExportRequest& request_;
  const graph::Graph& graph_;
  ExportedModel exported_;
  TrainingMetadata metadata_;
  std::vector<bool> needed_;
  std::set<std::string> names_;
};

}  // namespace

base::Result<ExportedModel> export_model(const ExportRequest& request) { return Exporter(request).run(); }

}  // namespace convoy::onnx
