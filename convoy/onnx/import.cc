#include "convoy/onnx/import.h"

#include <algorithm>
#include <utility>

#include "convoy/base/error.h"
#include "convoy/io/file.h"
#include "convoy/layers/catalog.h"
#include "convoy/onnx/codec.h"
#include "convoy/onnx/rules.h"
#include "convoy/onnx/translation.h"

namespace convoy::onnx {
namespace {

using graph::ValueId;

constexpr std::string_view kLossOp = "SoftmaxCrossEntropyLoss";

// The attributes of a node as layers have them; those of a type that no layer has are refused.
base::Result<graph::Attributes> plain_attributes(const FileNode& node) {
  graph::Attributes attributes;
  for (const auto& [name, value] : node.attributes) {
    if (const auto* integer = std::get_if<std::int64_t>(&value))
      attributes.set(name, *integer);
    else if (const auto* real = std::get_if<double>(&value))
      attributes.set(name, *real);
    else if (const auto* text = std::get_if<std::string>(&value))
      attributes.set(name, *text);
    else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value))
      attributes.set(name, *integers);
    else
      return base::Reason{base::str("attribute ", in_quotes(name), " is of a type that is not supported")};
  }
  return attributes;
}

base::Result<FileTensor> constant_value(const FileNode& node) {
  if (node.attributes.size() != 1) return base::Reason{"it has not exactly one value"};
  const auto& [name, value] = *node.attributes.begin();
  if (const auto* tensor = std::get_if<FileTensor>(&value)) return *tensor;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    FileTensor scalar = make_integers("", {*integer});
    scalar.dims.clear();
    return scalar;
  }
  if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value))
    return make_integers("", *integers);
  const auto* real = std::get_if<double>(&value);
  const auto* reals = std::get_if<std::vector<double>>(&value);
  if (real == nullptr && reals == nullptr)
    return base::Reason{base::str(in_quotes(name), " is not supported")};
  std::vector<std::int64_t> sizes;
  if (reals != nullptr) sizes.push_back(static_cast<std::int64_t>(reals->size()));
  auto values = std::make_shared<tensor::Tensor>(tensor::DType::f32, tensor::Shape(sizes));
  const auto to = values->as<float>();
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i] = static_cast<float>(real != nullptr ? *real : (*reals)[i]);
  return make_reals("", sizes, std::move(values));
}

class Importer {
 public:
  Importer(FileModel model, const std::string& file, const ImportOptions& options)
      : model_(std::move(model)), file_(file), options_(options) {}

  ImportedModel run() {
    check_opset();
    metadata_ = from_props(model_.metadata, file_);
    collect_constants();
    collect_producers();
    choose_output();
    find_needed();
    make_translation();
    for (std::size_t i = 0; i < model_.nodes.size(); ++i)
      if (needed_[i]) translate(i);
    set_ends();
    auto imported = std::move(*to_).finish();
    if (!imported) fail(imported.reason().text);
    ImportedModel result = std::move(imported).value();
    result.input = metadata_.input;
    return result;
  }

 private:
  // Whatever a file smuggles into a message, it stays one line.
  [[noreturn]] void fail(std::string problem) const {
    std::replace_if(
        problem.begin(), problem.end(), [](unsigned char c) { return c < ' ' || c == 127; }, '?');
    throw base::InputError(file_, problem);
  }
  [[noreturn]] void fail(const FileNode& node, const std::string& problem) const {
    fail(label(node) + ": " + problem);
  }
  template <class T>
  T require(base::Result<T> result, const FileNode& node) const {
    if (!result) fail(node, result.reason().text);
    return std::move(result).value();
  }

  void check_opset() const {
    if (model_.opset < kMinOpset || model_.opset > kMaxOpset)
      fail(base::str("its operators are of opset ", model_.opset, "; ", kMinOpset, " to ", kMaxOpset,
                     " are supported: export it with one of these"));
  }

  void collect_constants() {
    const auto collect = [&](FileTensor& tensor) {
      if (tensor.name.empty()) fail("an initialiser has no name");
      const std::string name = tensor.name;
      if (!constants_.emplace(name, Constant{std::move(tensor), true}).second)
        fail(base::str("initialiser ", in_quotes(name), " comes twice"));
    };
    for (FileTensor& tensor : model_.initialisers) collect(tensor);
    for (FileTensor tensor : options_.parameters) collect(tensor);
  }

  // Which node makes each value. Every value has one source.
  void collect_producers() {
    for (const FileValue& input : model_.inputs) {
      if (input.name.empty()) fail("an input has no name");
      if (!inputs_.emplace(input.name, &input).second)
        fail(base::str("input ", in_quotes(input.name), " comes twice"));
    }
    for (std::size_t i = 0; i < model_.nodes.size(); ++i) {
      const FileNode& node = model_.nodes[i];
      if (node.outputs.empty() || node.outputs[0].empty()) fail(node, "it has no output");
      for (const std::string& output : node.outputs) {
        if (output.empty()) continue;
        if (inputs_.contains(output) || constants_.contains(output) || !producers_.emplace(output, i).second)
          fail(node, base::str("its output ", in_quotes(output), " has another source already"));
      }
    }
  }

  void choose_output() {
    std::vector<std::string> names;
    for (const FileValue& output : model_.outputs) {
      const auto producer = producers_.find(output.name);
      const bool is_loss = producer != producers_.end() && model_.nodes[producer->second].op == kLossOp &&
                           model_.nodes[producer->second].outputs[0] == output.name;
      if (is_loss) loss_node_ = &model_.nodes[producer->second];
      if (!is_loss) names.push_back(output.name);
    }
    if (!options_.output.empty()) {
      if (std::find(names.begin(), names.end(), options_.output) == names.end())
        fail(base::str("it has no output ", in_quotes(options_.output), "; there are: ", listed(names)));
      names = {options_.output};
    }
    if (names.empty() && loss_node_ != nullptr && !loss_node_->inputs.empty())
      names = {loss_node_->inputs[0]};
    if (names.size() != 1)
      fail(base::str("it has ", names.size(), " outputs (", listed(names), "); one is supported: choose it"));
    output_ = names[0];
  }

  static std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + in_quotes(name);
    return text;
  }

  // The nodes that lead to the output or the loss.
  void find_needed() {
    needed_.assign(model_.nodes.size(), false);
    std::vector<std::string> open = {output_};
    if (loss_node_ != nullptr) open.push_back(loss_node_->outputs[0]);
    while (!open.empty()) {
      const std::string name = std::move(open.back());
      open.pop_back();
      const auto producer = producers_.find(name);
      if (producer == producers_.end()) {
        if (inputs_.contains(name) && !constants_.contains(name)) used_inputs_.insert(name);
        continue;
      }
      if (needed_[producer->second]) continue;
      needed_[producer->second] = true;
      for (const std::string& input : model_.nodes[producer->second].inputs) open.push_back(input);
    }
  }

  // The input that is data: the one that is neither weight nor labels.
  const FileValue& data_input() {
    std::vector<std::string> names;
    for (const FileValue& input : model_.inputs) {
      const bool is_label =
          loss_node_ != nullptr && loss_node_->inputs.size() > 1 && loss_node_->inputs[1] == input.name;
      if (is_label) label_input_ = input.name;
      if (used_inputs_.contains(input.name) && !is_label) names.push_back(input.name);
    }
    if (names.empty()) fail("its output depends on no input");
    if (names.size() > 1)
      fail(base::str("it has ", names.size(), " inputs (", listed(names),
                     "); one is supported: make the others initialisers"));
    return *inputs_.at(names[0]);
  }

  void make_translation() {
    const FileValue& input = data_input();
    const std::string name = "input " + in_quotes(input.name);
    if (input.type != ElementType::f32 && input.type != ElementType::f64)
      fail(base::str(name, " is of ", onnx::name(input.type), "; float32 is supported"));
    if (!input.has_shape) fail(name + " has no shape; export the model with one");
    if (options_.has_batch && input.dims.empty()) fail(name + " is a scalar, without a batch");
    std::vector<std::int64_t> sizes;
    for (std::size_t d = options_.has_batch ? 1 : 0; d < input.dims.size(); ++d) {
      const FileDimension& dimension = input.dims[d];
      if (!dimension.size)
        fail(base::str(name, ": dimension ", d, " ",
                       dimension.symbol.empty() ? "" : in_quotes(dimension.symbol) + " ",
                       "has no size; only the batch may vary"));
      if (*dimension.size < 1) fail(base::str(name, ": dimension ", d, " has the size ", *dimension.size));
      sizes.push_back(*dimension.size);
    }
    TranslationConfig config{.name = model_.graph_name.empty() ? "onnx" : model_.graph_name,
                             .sample_shape = tensor::Shape(std::move(sizes)),
                             .has_batch = options_.has_batch,
                             .opset = model_.opset,
                             .training = metadata_.layers};
    if (options_.has_batch) config.batch = input.dims[0].size;
    to_.emplace(std::move(config));
    if (!to_->builder().mistake().empty()) fail(to_->builder().mistake());
    to_->bind(input.name, to_->builder().input());
    for (auto& [constant_name, constant] : constants_) to_->bind(constant_name, std::move(constant));
  }

  void check_inputs(std::size_t index) const {
    const FileNode& node = model_.nodes[index];
    for (const std::string& input : node.inputs) {
      if (input.empty() || to_->is_known(input) || (node.op == kLossOp && input == label_input_)) continue;
      const auto producer = producers_.find(input);
      if (producer == producers_.end())
        fail(node, base::str("its input ", in_quotes(input), " comes from nowhere"));
      if (producer->second >= index)
        fail(node,
             base::str("its input ", in_quotes(input), " comes from ", label(model_.nodes[producer->second]),
                       " behind it: the graph has a cycle, or its nodes are not in order"));
      fail(node, base::str("its input ", in_quotes(input), " is a further output of ",
                           label(model_.nodes[producer->second]), ", which is not supported"));
    }
  }

  void translate(std::size_t index) {
    const FileNode& node = model_.nodes[index];
    check_inputs(index);
    if (!node.domain.empty())
      fail(node, base::str("operators of ", in_quotes(node.domain), " are not supported"));
    if (node.op == kLossOp) return translate_loss(node);
    if (node.op == "Constant")
      return to_->bind(node.outputs[0], Constant{require(constant_value(node), node), false});
    const Rule* rule = find_rule(node.op);
    if (rule == nullptr)
      fail(node, base::str("this operator is not supported; those that are: ", readable_ops()));
    auto attributes = graph::complete(require(plain_attributes(node), node), rule->attributes);
    const Node complete = {node, require(std::move(attributes), node)};
    if (const auto verdict = rule->translate(complete, *to_); !verdict) fail(node, verdict.reason().text);
  }

  // The loss of a file made for training: scores, and one class a sample.
  void translate_loss(const FileNode& node) {
    const auto attributes = require(plain_attributes(node), node);
    for (const auto& [name, value] : attributes.values())
      if (name != "reduction" || value != graph::AttributeValue(std::string("mean")))
        fail(node,
             base::str("attribute ", in_quotes(name), " is not supported; the mean over all samples is"));
    if (node.inputs.size() != 2 || node.inputs[1] != label_input_)
      fail(node, "scores and one class index a sample, an input of the graph, are supported, and no weights");
    const Node complete = {node, {}};
    const ValueId scores = require(to_->data(complete, 0), node);
    if (complete.has_output(1)) {
      const auto log = to_->add(layers::kLogSoftmax, to_->unique_name(node.outputs[1]),
                                {{"axis", std::int64_t{1}}}, {scores});
      to_->bind(node.outputs[1], require(log, node));
    }
    add_loss(layers::kSoftmaxCrossEntropyLoss, to_->layer_name(complete), {},
             {scores, to_->builder().labels()});
  }

  void add_loss(const graph::LayerKind& kind, const std::string& name, const graph::Attributes& attributes,
                std::vector<ValueId> inputs) {
    const auto loss = to_->add(kind, name, attributes, std::move(inputs));
    if (!loss) fail(loss.reason().text);
    to_->builder().set_loss(*loss);
  }

  void set_ends() {
    const auto output = to_->computed(output_);
    if (!output) fail(base::str("output ", in_quotes(output_), " ", output.reason().text));
    to_->builder().set_output(*output);
    to_->builder().set_class_names(metadata_.class_names);
    if (loss_node_ != nullptr) return;
    if (metadata_.loss) return add_loss_of(*metadata_.loss);
    const tensor::Shape shape = to_->builder().shape(*output);
    if (!options_.has_batch || shape.rank() != 2 || shape[1] < 2)
      return to_->note(
          "it has no loss: the output is not one score a class; it can be used, but not trained");
    const Translation::Origin origin = to_->origin(*output);
    const bool is_softmax = origin.kind == &layers::kSoftmax || origin.kind == &layers::kLogSoftmax;
    add_loss(layers::kSoftmaxCrossEntropyLoss, to_->unique_name("loss"), {},
             {is_softmax ? origin.input : *output, to_->builder().labels()});
  }

  void add_loss_of(const LossMetadata& loss) {
    const graph::LayerKind* kind = layers::find(loss.op);
    if (kind == nullptr || !kind->traits.is_loss)
      fail(base::str("metadata convoy.loss: ", in_quotes(loss.op), " is no loss"));
    std::vector<ValueId> inputs;
    for (const std::string& name : loss.inputs) {
      const auto value = name == "labels" ? std::optional(to_->builder().labels()) : to_->value(name);
      if (!value) fail(base::str("metadata convoy.loss: there is no value ", in_quotes(name)));
      inputs.push_back(*value);
    }
    add_loss(*kind, to_->unique_name(loss.name), loss.attributes, std::move(inputs));
  }

  FileModel model_;
  const std::string& file_;
  const ImportOptions& options_;
  TrainingMetadata metadata_;
  std::map<std::string, Constant> constants_;
  std::map<std::string, const FileValue*> inputs_;
  std::map<std::string, std::size_t> producers_;
  std::set<std::string> used_inputs_;
  std::string output_, label_input_;
  const FileNode* loss_node_ = nullptr;
  std::vector<bool> needed_;
  std::optional<Translation> to_;
};

}  // namespace

ImportedModel import_model(FileModel model, const std::string& file, const ImportOptions& options) {
  return Importer(std::move(model), file, options).run();
}

ImportedModel load_model(const std::string& path, const ImportOptions& options) {
  const auto file = io::open_file(path);
  return import_model(read_model(file, io::parent_directory(path)), path, options);
}

}  // namespace convoy::onnx
