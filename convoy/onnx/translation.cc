#include "convoy/onnx/translation.h"

#include <algorithm>

#include "convoy/layers/catalog.h"

namespace convoy::onnx {
namespace {

using graph::ValueId;

base::Reason input_reason(const Node& node, std::size_t index, const std::string& problem) {
  return base::Reason{base::str("input ", index + 1,
                                node.has_input(index) ? " " + in_quotes(node.file.inputs[index]) : "", " ",
                                problem)};
}

// Layers' names stand in texts unquoted: GraphBuilder's rule.
std::string cleaned(std::string_view name) {
  std::string text;
  for (const char c : name)
    text += c > ' ' && c < 127 && std::string_view("(),={}\"\\").find(c) == std::string_view::npos ? c : '_';
  return text;
}

std::string without_suffix(const std::string& name, std::string_view suffix) {
  return name.ends_with(suffix) && name.size() > suffix.size() ? name.substr(0, name.size() - suffix.size())
                                                               : std::string();
}

}  // namespace

std::string label(const FileNode& node) {
  const std::string& name = node.name.empty() && !node.outputs.empty() ? node.outputs[0] : node.name;
  return base::str("node ", in_quotes(name), " (",
                   in_quotes(node.op).substr(1, in_quotes(node.op).size() - 2), ")");
}

Translation::Translation(TranslationConfig config)
    : config_(std::move(config)), builder_(cleaned(config_.name), config_.sample_shape) {}

std::optional<ValueId> Translation::value(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

const Constant* Translation::constant(const std::string& name) const {
  const auto found = constants_.find(name);
  return found == constants_.end() ? nullptr : &found->second;
}

base::Result<ValueId> Translation::computed(const std::string& name) {
  if (const auto found = value(name)) return *found;
  const auto found = padded_.find(name);
  if (found == padded_.end()) return base::Reason{"is a constant; a computed value is wanted"};
  const Padded& padded = found->second;
  std::vector<std::int64_t> pads = padded.pads;
  const auto half = static_cast<std::ptrdiff_t>(pads.size() / 2);
  pads.insert(pads.begin() + half, 2, 0);  // batch and channels
  pads.insert(pads.begin(), 2, 0);
  const auto added = add(layers::kPad, unique_name(padded.name), {{"pads", std::move(pads)}}, {padded.value});
  if (added) bind(name, *added);
  return added;
}

base::Result<ValueId> Translation::data(const Node& node, std::size_t index) {
  if (!node.has_input(index)) return input_reason(node, index, "is left out");
  auto found = computed(node.file.inputs[index]);
  if (!found) return input_reason(node, index, found.reason().text);
  return found;
}

base::Result<ValueId> Translation::padded_data(const Node& node, graph::Attributes& attributes) {
  const auto found = node.has_input(0) ? padded_.find(node.file.inputs[0]) : padded_.end();
  if (found == padded_.end()) return data(node, 0);
  if (attributes.text("auto_pad") != "NOTSET" && attributes.text("auto_pad") != "VALID")
    return input_reason(node, 0, "is padded; beside auto_pad that is not supported");
  attributes.set("auto_pad", std::string("NOTSET"));
  std::vector<std::int64_t> pads = attributes.integers("pads");
  pads.resize(found->second.pads.size(), 0);
  for (std::size_t i = 0; i < pads.size(); ++i)
    if (__builtin_add_overflow(pads[i], found->second.pads[i], &pads[i]))
      return input_reason(node, 0, "is padded beyond every size");
  attributes.set("pads", std::move(pads));
  return found->second.value;
}

base::Result<FileTensor> Translation::reals(const Node& node, std::size_t index) const {
  if (!node.has_input(index)) return input_reason(node, index, "is left out");
  const Constant* found = constant(node.file.inputs[index]);
  if (found == nullptr)
    return input_reason(node, index, "is computed; only an initialiser or a Constant is supported there");
  if (found->tensor.reals == nullptr)
    return input_reason(node, index, base::str("is of ", name(found->tensor.type), "; float32 is wanted"));
  return found->tensor;
}

base::Result<std::vector<std::int64_t>> Translation::integers(const Node& node, std::size_t index) const {
  if (!node.has_input(index)) return input_reason(node, index, "is left out");
  const Constant* found = constant(node.file.inputs[index]);
  if (found == nullptr)
    return input_reason(node, index, "is computed; only an initialiser or a Constant is supported there");
  if (found->tensor.reals != nullptr || found->tensor.dims.size() > 1 ||
      (found->tensor.type != ElementType::i64 && found->tensor.type != ElementType::i32 &&
       found->tensor.type != ElementType::boolean))
    return input_reason(node, index, "is no list of integers");
  return found->tensor.integers;
}

base::Result<ValueId> Translation::operand(const Node& node, std::size_t index, int rank,
                                           std::optional<std::int64_t> axis) {
  if (!node.has_input(index)) return input_reason(node, index, "is left out");
  const std::string& name = node.file.inputs[index];
  if (constant(name) == nullptr) return data(node, index);
  const auto values = reals(node, index);
  if (!values) return values.reason();
  std::vector<std::int64_t> sizes = values->dims;
  const auto spare = rank - static_cast<std::int64_t>(sizes.size());
  const std::int64_t before = axis.value_or(spare);
  if (spare < 0 || before < 0 || before > spare)
    return input_reason(node, index,
                        base::str("has ", sizes.size(), " dimensions, which do not fit on ", rank));
  sizes.insert(sizes.begin(), static_cast<std::size_t>(before), 1);
  sizes.resize(static_cast<std::size_t>(rank), 1);
  if (has_batch()) {
    if (sizes.empty() || sizes[0] != 1)
      return input_reason(node, index,
                          base::str("is a constant with ", sizes.empty() ? 0 : sizes[0],
                                    " entries along the batch; only 1 is supported"));
    sizes.erase(sizes.begin());
  }
  return add_parameter(name, *constant(name), std::move(sizes));
}

base::Result<ValueId> Translation::add_parameter(const std::string& name, const Constant& constant,
                                                 std::vector<std::int64_t> sizes) {
  const auto key = std::pair(name, sizes);
  if (const auto found = parameters_.find(key); found != parameters_.end()) return found->second;
  const std::string stem = without_suffix(name, ".value");
  const std::string layer = unique_name(stem.empty() ? name : stem);
  const auto added = add(layers::kParameter, layer,
                         {{"shape", sizes}, {"learned", std::int64_t{constant.learned}}}, {builder_.input()});
  if (!added) return added;
  FileTensor values = constant.tensor;
  if (values.reals->shape().sizes() != sizes) {  // the layer has another number of dimensions of size 1
    auto copy = std::make_shared<tensor::Tensor>(tensor::DType::f32, tensor::Shape(sizes));
    std::copy_n(values.reals->as<float>().begin(), copy->as<float>().size(), copy->as<float>().begin());
    values.reals = std::move(copy);
  }
  values.dims = sizes;
  set_weight(layer, "value", values);
  parameters_[key] = *added;
  return added;
}

int Translation::rank(ValueId value) const { return builder_.shape(value).rank() - (has_batch() ? 0 : 1); }

base::Result<std::int64_t> Translation::axis(std::int64_t axis, ValueId value) const {
  const int dimensions = rank(value);
  if (axis < -dimensions || axis >= dimensions)
    return base::Reason{base::str("axis ", axis, " is outside the ", dimensions, " dimensions of its input")};
  return (axis < 0 ? axis + dimensions : axis) + (has_batch() ? 0 : 1);
}

std::vector<std::int64_t> Translation::sample_sizes(ValueId value) const {
  const tensor::Shape shape = builder_.shape(value);
  return {shape.begin() + (shape.rank() > 0 ? 1 : 0), shape.end()};
}

std::string Translation::layer_name(const Node& node, const std::string& weight) {
  for (const std::string_view suffix : {".weight", ".scale"}) {
    const std::string stem = without_suffix(weight, suffix);
    if (!stem.empty() && !names_.contains(cleaned(stem))) return unique_name(stem);
  }
  return unique_name(node.file.name.empty() ? node.file.outputs[0] : node.file.name);
}

std::string Translation::unique_name(const std::string& wish) {
  const std::string stem = wish.empty() ? "layer" : cleaned(wish);
  std::string name = stem;
  for (int k = 2; !names_.insert(name).second; ++k) name = base::str(stem, "_", k);
  return name;
}

base::Result<ValueId> Translation::add(const graph::LayerKind& kind, const std::string& name,
                                       const graph::Attributes& attributes, std::vector<ValueId> inputs) {
  const ValueId first = inputs.empty() ? -1 : inputs[0];
  const auto training = config_.training.find(name);
  const ValueId added = builder_.add(
      kind, name,
      training == config_.training.end() ? attributes : with_training(kind, attributes, training->second),
      std::move(inputs));
  if (!builder_.mistake().empty()) return base::Reason{builder_.mistake()};
  origins_[added] = {&kind, first};
  return added;
}

Translation::Origin Translation::origin(ValueId value) const {
  const auto found = origins_.find(value);
  return found == origins_.end() ? Origin{} : found->second;
}

base::Verdict Translation::emit(const Node& node, const graph::LayerKind& kind, const std::string& name,
                                const graph::Attributes& attributes, std::vector<ValueId> inputs) {
  const auto added = add(kind, name, attributes, std::move(inputs));
  if (!added) return added.reason();
  bind(node.file.outputs[0], *added);
  return {};
}

base::Result<ValueId> Translation::reshape(const std::string& name, ValueId value,
                                           std::vector<std::int64_t> sizes) {
  sizes.insert(sizes.begin(), 0);
  return add(layers::kReshape, name, {{"shape", std::move(sizes)}}, {value});
}

void Translation::set_weight(const std::string& layer, const std::string& param, const FileTensor& values) {
  weights_[base::str(layer, ".", param)] = values;
  if (!values.name.empty() && ++uses_[values.name] == 2)
    note(base::str("tensor ", in_quotes(values.name),
                   " serves several layers; each trains a copy of its own"));
}

base::Result<ImportedModel> Translation::finish() && {
  base::Result<graph::Graph> graph = std::move(builder_).build();
  if (!graph) return graph.reason();
  ImportedModel model{.graph = std::move(graph).value()};
  const tensor::ParamLayout layout = model.graph.param_layout(tensor::DType::f32);
  for (const tensor::Segment& segment : layout.segments) {
    const auto found = weights_.find(segment.name);
    if (found == weights_.end()) return base::Reason{base::str(segment.name, " has no values in the file")};
    if (found->second.dims != segment.global_shape.sizes())
      return base::Reason{base::str(segment.name, ": tensor ", in_quotes(found->second.name), " is ",
                                    tensor::Shape(found->second.dims).str(), ", not ",
                                    segment.global_shape.str())};
    model.weights[segment.name] = found->second.reals;
  }
  model.notes = std::move(notes_);
  return model;
}

}  // namespace convoy::onnx
