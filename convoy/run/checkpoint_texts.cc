#include "convoy/run/checkpoint_texts.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "convoy/base/error.h"
#include "convoy/io/json.h"
#include "convoy/layers/graph_text.h"

namespace convoy::run {
namespace {

io::Json numbers(const std::vector<float>& values) {
  io::Json array = io::Json::array();
  for (const float value : values) array.append(value);
  return array;
}

std::vector<float> read_numbers(const io::Json& object, const char* name, const std::string& file) {
  std::vector<float> values;
  for (const io::Json& element : io::require_array(object, name, file)) {
    if (!element.is_number())
      throw base::InputError(file, base::str("'", name, "' holds something else than numbers"));
    values.push_back(static_cast<float>(element.as_double()));
  }
  return values;
}

std::string input_text(const InputDescription& input) {
  io::Json names = io::Json::array();
  for (const std::string& name : input.class_names) names.append(name);
  io::Json object = io::Json::object();
  object.set("data", input.data).set("mean", numbers(input.mean)).set("stddev", numbers(input.stddev));
  object.set("class_names", std::move(names));
  return object.dump();
}

InputDescription read_input(const std::string& text, const std::string& file) {
  const io::Json object = io::parse_json(text, file);
  InputDescription input{.data = io::require_string(object, "data", file)};
  input.mean = read_numbers(object, "mean", file);
  input.stddev = read_numbers(object, "stddev", file);
  for (const io::Json& name : io::require_array(object, "class_names", file)) {
    if (!name.is_string()) throw base::InputError(file, "'class_names' holds something else than strings");
    input.class_names.push_back(name.as_string());
  }
  const bool positive = std::all_of(input.stddev.begin(), input.stddev.end(), [](float s) { return s > 0; });
  if (!positive || input.mean.size() != input.stddev.size())
    throw base::InputError(file, "its normalisation is no list of means and positive deviations");
  return input;
}

const std::string& require_text(const train::Manifest& manifest, const char* name, const std::string& path) {
  const auto found = manifest.texts.find(name);
  if (found == manifest.texts.end())
    throw base::InputError(
        path, base::str("its manifest has no text '", name, "'; it was not written by convoy train"));
  return found->second;
}

}  // namespace

std::map<std::string, std::string> to_texts(const CheckpointTexts& texts) {
  return {{"model", texts.graph.name()},
          {"graph", texts.graph.str()},
          {"plan", texts.plan.str()},
          {"input", input_text(texts.input)},
          {"config", texts.config}};
}

CheckpointTexts from_texts(const train::Manifest& manifest, const std::string& path) {
  auto graph = layers::parse_graph(require_text(manifest, "graph", path));
  if (!graph) throw base::InputError(path, graph.reason().text);
  auto plan = plan::Plan::parse(require_text(manifest, "plan", path));
  if (!plan) throw base::InputError(path, plan.reason().text);
  CheckpointTexts texts{.graph = std::move(graph).value(), .plan = std::move(plan).value()};
  if (hash_text(texts.graph) != manifest.model_hash)
    throw base::InputError(path, "its model text and its model hash disagree; use another checkpoint");
  texts.input = read_input(require_text(manifest, "input", path), path);
  const tensor::Shape& sample = texts.graph.input_shape();
  if (sample.rank() == 0 || static_cast<std::int64_t>(texts.input.mean.size()) != sample[0])
    throw base::InputError(path, base::str("its normalisation is of ", texts.input.mean.size(),
                                           " channels, its model takes samples of ", sample.str()));
  texts.config = require_text(manifest, "config", path);
  return texts;
}

std::string hash_text(const graph::Graph& graph) { return fmt::format("{:016x}", graph.hash()); }

}  // namespace convoy::run
