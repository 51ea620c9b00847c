#include "convoy/onnx/metadata.h"

#include <algorithm>
#include <array>

#include "convoy/base/error.h"
#include "convoy/io/json.h"

namespace convoy::onnx {
namespace {

constexpr const char* kClassNames = "convoy.class_names";
constexpr const char* kInput = "convoy.input";
constexpr const char* kLoss = "convoy.loss";
constexpr const char* kLayers = "convoy.layers";

constexpr std::array<std::string_view, 3> kTraining = {"bias_value", "initialiser", "statistics_samples"};

bool is_training(std::string_view name) {
  return std::find(kTraining.begin(), kTraining.end(), name) != kTraining.end();
}

template <class T>
io::Json list(const std::vector<T>& values) {
  io::Json array = io::Json::array();
  for (const T& value : values) array.append(value);
  return array;
}

std::vector<std::string> texts(const io::Json::Array& array, const std::string& file) {
  std::vector<std::string> values;
  for (const io::Json& element : array) {
    if (!element.is_string()) throw base::InputError(file, "a list holds something else than texts");
    values.push_back(element.as_string());
  }
  return values;
}

std::vector<float> numbers(const io::Json::Array& array, const std::string& file) {
  std::vector<float> values;
  for (const io::Json& element : array) {
    if (!element.is_number()) throw base::InputError(file, "a list holds something else than numbers");
    values.push_back(static_cast<float>(element.as_double()));
  }
  return values;
}

graph::Attributes attributes(const std::string& text, const std::string& file) {
  auto parsed = graph::Attributes::parse(text);
  if (!parsed) throw base::InputError(file, parsed.reason().text);
  return std::move(parsed).value();
}

InputMetadata read_input(const std::string& text, const std::string& file) {
  const io::Json json = io::parse_json(text, file);
  InputMetadata input{.data = io::require_string(json, "data", file)};
  input.mean = numbers(io::require_array(json, "mean", file), file);
  input.stddev = numbers(io::require_array(json, "stddev", file), file);
  const bool positive = std::all_of(input.stddev.begin(), input.stddev.end(), [](float s) { return s > 0; });
  if (!positive || input.mean.size() != input.stddev.size())
    throw base::InputError(file, "its normalisation is no list of means and positive deviations");
  return input;
}

LossMetadata read_loss(const std::string& text, const std::string& file) {
  const io::Json json = io::parse_json(text, file);
  return {.name = io::require_string(json, "name", file),
          .op = io::require_string(json, "op", file),
          .attributes = attributes(io::require_string(json, "attributes", file), file),
          .inputs = texts(io::require_array(json, "inputs", file), file)};
}

}  // namespace

MetadataProps to_props(const TrainingMetadata& metadata) {
  MetadataProps props;
  if (!metadata.class_names.empty()) props[kClassNames] = list(metadata.class_names).dump();
  if (metadata.input)
    props[kInput] = io::Json::object({{"data", metadata.input->data},
                                      {"mean", list(metadata.input->mean)},
                                      {"stddev", list(metadata.input->stddev)}})
                        .dump();
  if (metadata.loss)
    props[kLoss] = io::Json::object({{"name", metadata.loss->name},
                                     {"op", metadata.loss->op},
                                     {"attributes", metadata.loss->attributes.str()},
                                     {"inputs", list(metadata.loss->inputs)}})
                       .dump();
  io::Json layers = io::Json::object();
  for (const auto& [name, values] : metadata.layers) layers.set(name, values.str());
  if (!metadata.layers.empty()) props[kLayers] = layers.dump();
  return props;
}

TrainingMetadata from_props(const MetadataProps& props, const std::string& file) {
  TrainingMetadata metadata;
  const auto place = [&](const char* key) { return base::str(file, ": metadata ", key); };
  if (const auto found = props.find(kClassNames); found != props.end()) {
    const io::Json json = io::parse_json(found->second, place(kClassNames));
    if (!json.is_array()) throw base::InputError(place(kClassNames), "it is no list");
    metadata.class_names = texts(json.as_array(), place(kClassNames));
  }
  if (const auto found = props.find(kInput); found != props.end())
    metadata.input = read_input(found->second, place(kInput));
  if (const auto found = props.find(kLoss); found != props.end())
    metadata.loss = read_loss(found->second, place(kLoss));
  if (const auto found = props.find(kLayers); found != props.end()) {
    const io::Json json = io::parse_json(found->second, place(kLayers));
    if (!json.is_object()) throw base::InputError(place(kLayers), "it is no object");
    for (const auto& [name, value] : json.as_object()) {
      if (!value.is_string()) throw base::InputError(place(kLayers), in_quotes(name) + " is no text");
      metadata.layers[name] = attributes(value.as_string(), place(kLayers));
    }
  }
  return metadata;
}

graph::Attributes training_attributes(const graph::LayerKind& kind, const graph::Attributes& attributes) {
  graph::Attributes training;
  for (const graph::AttributeSpec& spec : kind.attributes) {
    const auto found = attributes.values().find(spec.name);
    if (found == attributes.values().end()) continue;
    const auto* real = std::get_if<double>(&found->second);
    const bool is_rounded = real != nullptr && widened(static_cast<float>(*real)) != *real;
    if (is_training(spec.name) ? found->second != spec.default_value : is_rounded)
      training.set(found->first, found->second);
  }
  return training;
}

graph::Attributes with_training(const graph::LayerKind& kind, const graph::Attributes& attributes,
                                const graph::Attributes& training) {
  graph::Attributes all = attributes;
  for (const graph::AttributeSpec& spec : kind.attributes) {
    const auto found = training.values().find(spec.name);
    if (found == training.values().end()) continue;
    const auto* real = std::get_if<double>(&found->second);
    const bool is_same = real != nullptr && attributes.has(spec.name) &&
                         static_cast<float>(attributes.real(spec.name)) == static_cast<float>(*real);
    if (is_training(spec.name) || is_same) all.set(found->first, found->second);
  }
  return all;
}

}  // namespace convoy::onnx
