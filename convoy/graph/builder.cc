#include <algorithm>

#include "convoy/graph/graph.h"

namespace convoy::graph {
namespace {

constexpr std::int64_t kProbeBatch = 2;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;  // a sample of more is a mistake, not a model

// "Nx1x28x28": what a person knows of the shape, without the probe's batch.
std::string shown(const tensor::Shape& shape) {
  std::string text = shape.rank() == 0 ? "scalar" : "N";
  for (int d = 1; d < shape.rank(); ++d) text += "x" + std::to_string(shape[d]);
  return text;
}

std::string shown(std::span<const tensor::Shape> shapes) {
  std::string text;
  for (const tensor::Shape& shape : shapes) text += (text.empty() ? "" : ", ") + shown(shape);
  return text;
}

bool is_countable(const tensor::Shape& shape) {
  std::int64_t product = 1;
  for (const std::int64_t size : shape)
    if (__builtin_mul_overflow(product, size, &product) || product > kMaxElements) return false;
  return true;
}

// Names stand in files and texts unquoted.
bool is_good_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c > ' ' && c < 127 &&
           std::string_view("(),={}\"\\").find(static_cast<char>(c)) == std::string_view::npos;
  });
}

base::Verdict check_arity(const LayerKind& kind, std::size_t inputs) {
  const auto count = static_cast<int>(inputs);
  if (count >= kind.min_inputs && (kind.max_inputs < 0 || count <= kind.max_inputs)) return {};
  std::string wanted = std::to_string(kind.min_inputs);
  if (kind.max_inputs < 0)
    wanted += " or more";
  else if (kind.max_inputs > kind.min_inputs)
    wanted += " to " + std::to_string(kind.max_inputs);
  return base::Reason{base::str("takes ", wanted, " inputs, not ", count)};
}

base::Verdict check_signature(const Signature& signature) {
  if (signature.outputs.size() != 1) return base::Reason{"layers with several outputs cannot be built yet"};
  const tensor::Shape& output = signature.outputs[0];
  if (output.rank() > 0 && output[0] != kProbeBatch)
    return base::Reason{base::str("the output ", output.str(), " for a batch of ", kProbeBatch,
                                  " does not keep the batch dimension")};
  if (!is_countable(output)) return base::Reason{base::str("the output ", shown(output), " is too large")};
  for (const ParamSpec& param : signature.params)
    if (!is_countable(param.shape))
      return base::Reason{base::str("parameter ", param.name, " ", param.shape.str(), " is too large")};
  return {};
}

}  // namespace

GraphBuilder::GraphBuilder(std::string name, tensor::Shape sample_shape) {
  std::vector<std::int64_t> sizes = {kProbeBatch};
  sizes.insert(sizes.end(), sample_shape.begin(), sample_shape.end());
  shapes_.emplace_back(std::move(sizes));
  if (!is_good_name(name)) mistake_ = base::str("the graph's name \"", name, "\" has blanks or punctuation");
  const bool has_empty_dimension =
      std::find(sample_shape.begin(), sample_shape.end(), 0) != sample_shape.end();
  if (has_empty_dimension || !is_countable(shapes_[0]))
    mistake_ = base::str("the input shape ", sample_shape.str(), " is empty or too large");
  graph_.name_ = std::move(name);
  graph_.input_shape_ = std::move(sample_shape);
  graph_.values_.push_back({.name = "input"});
}

ValueId GraphBuilder::labels() {
  if (graph_.labels_ < 0) {
    graph_.labels_ = static_cast<ValueId>(graph_.values_.size());
    graph_.values_.push_back({.name = "labels", .is_label = true});
    shapes_.push_back({kProbeBatch});
  }
  return graph_.labels_;
}

ValueId GraphBuilder::add(const LayerKind& kind, std::string name, const Attributes& attributes,
                          std::vector<ValueId> inputs) {
  if (!mistake_.empty()) return input();
  std::vector<tensor::Shape> shapes;
  for (const ValueId id : inputs) shapes.push_back(shape(id));
  const auto refuse = [&](const std::string& reason) {
    mistake_ = base::str("layer ", name, " (", kind.op, " of ", shown(shapes), "): ", reason);
    return input();
  };

  if (!is_good_name(name)) return refuse("the name has blanks or punctuation");
  if (name == "labels") return refuse("the name stands for the class indices");
  for (const Value& value : graph_.values_)
    if (value.name == name) return refuse("the name is taken");
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool wants_labels = kind.traits.takes_labels && i + 1 == inputs.size();
    if (graph_.values_[static_cast<std::size_t>(inputs[i])].is_label != wants_labels)
      return refuse(wants_labels ? "the last input must be the labels"
                                 : "labels are no numbers to compute with");
  }
  if (const auto verdict = check_arity(kind, inputs.size()); !verdict) return refuse(verdict.reason().text);
  base::Result<Attributes> completed = complete(attributes, kind.attributes);
  if (!completed) return refuse(completed.reason().text);
  const base::Result<Signature> signature = kind.infer(*completed, shapes);
  if (!signature) return refuse(signature.reason().text);
  if (const auto verdict = check_signature(*signature); !verdict) return refuse(verdict.reason().text);

  const auto output = static_cast<ValueId>(graph_.values_.size());
  graph_.values_.push_back({.name = name, .producer = static_cast<int>(graph_.layers_.size())});
  shapes_.push_back(signature->outputs[0]);
  graph_.layers_.push_back({.name = std::move(name),
                            .kind = &kind,
                            .attributes = std::move(completed).value(),
                            .inputs = std::move(inputs),
                            .outputs = {output}});
  return output;
}

tensor::Shape GraphBuilder::shape(ValueId value) const {
  CONVOY_CHECK(value >= 0 && value < static_cast<ValueId>(shapes_.size()), "value ", value);
  return shapes_[static_cast<std::size_t>(value)];
}

base::Result<Graph> GraphBuilder::build() && {
  const auto refuse = [&](const std::string& reason) {
    return base::Reason{base::str("model ", graph_.name_, ": ", reason)};
  };
  if (!mistake_.empty()) return refuse(mistake_);
  if (graph_.output_ < 0) return refuse("no output is set");
  CONVOY_CHECK(graph_.output_ < static_cast<ValueId>(shapes_.size()) &&
               graph_.loss_ < static_cast<ValueId>(shapes_.size()));
  if (graph_.loss_ >= 0 && shape(graph_.loss_).rank() != 0)
    return refuse(base::str("the loss has shape ", shown(shape(graph_.loss_)), ", not scalar"));
  for (const std::string& name : graph_.class_names_)
    if (name.find('\n') != std::string::npos) return refuse("a class name has two lines");

  std::vector<bool> needed(graph_.values_.size(), false);
  for (const ValueId root : {graph_.output_, graph_.loss_})
    if (root >= 0) needed[static_cast<std::size_t>(root)] = true;
  for (auto layer = graph_.layers_.rbegin(); layer != graph_.layers_.rend(); ++layer) {
    if (!needed[static_cast<std::size_t>(layer->outputs[0])])
      return refuse(base::str("layer ", layer->name, " leads neither to the output nor to the loss"));
    for (const ValueId id : layer->inputs) needed[static_cast<std::size_t>(id)] = true;
  }
  return std::move(graph_);
}

}  // namespace convoy::graph
