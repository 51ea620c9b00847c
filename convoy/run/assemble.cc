#include "convoy/run/assemble.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/base/threads.h"
#include "convoy/data/dataset.h"
#include "convoy/kernels/bf16.h"
#include "convoy/models/catalog.h"
#include "convoy/run/feed.h"
#include "convoy/run/nearest.h"

namespace convoy::run {
namespace {

std::map<std::string, std::string> choices_of(std::string_view flag, std::string_view text) {
  std::map<std::string, std::string> choices;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view pair = text.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos)
      throw base::UsageError(base::str(flag, ": '", pair, "' is no LAYER=KERNEL"));
    const auto [place, is_new] =
        choices.emplace(std::string(pair.substr(0, equals)), std::string(pair.substr(equals + 1)));
    if (!is_new)
      throw base::UsageError(base::str(flag, " names '", place->first, "' twice; give it one kernel"));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return choices;
}

}  // namespace

int resolve_threads(const RunConfig& config) {
  return config.threads > 0 ? config.threads : base::available_processors();
}

plan::PlanRequest plan_request(const RunConfig& config) {
  plan::PlanRequest request;
  if (config.layout != "auto") {
    const auto family = kernels::parse_layout_family(config.layout);
    if (!family) throw base::UsageError(base::str("--layout: ", family.reason().text));
    request.layout = *family;
  }
  request.kernels = choices_of("--kernels", config.kernels);
  request.conv_algorithms = choices_of("--conv-algorithm", config.conv_algorithm);
  request.workspace_limit_bytes = config.workspace_limit;
  request.error_limit = config.error_limit;
  request.fuse = config.fuse;
  request.share_memory = config.share_memory;
  if (config.recompute == "sqrt") request.recompute = plan::Recompute::sqrt;
  if (config.memory > 0 && request.recompute != plan::Recompute::none)
    throw base::UsageError("--memory itself decides what is recomputed; leave out --recompute");
  request.memory_limit_bytes = config.memory;
  if (const auto rule = optim::make_update_rule(config.optimizer, update_config(config)))
    request.optimizer_slots = (*rule)->slot_count();
  return request;
}

bool uses_bf16(const RunConfig& config) {
  if (config.precision != "bf16") return false;
  if (const base::Verdict verdict = kernels::check_bf16_products(); !verdict)
    throw base::UsageError(
        base::str("--precision: ", verdict.reason().text, "; train with --precision float32"));
  return true;
}

optim::UpdateConfig update_config(const RunConfig& config) {
  optim::UpdateConfig update;
  update.momentum = config.momentum;
  update.epsilon = config.epsilon;
  update.decay = config.decay;
  update.beta1 = config.beta1;
  update.beta2 = config.beta2;
  return update;
}

void take_own_shape(ResolvedConfig& resolved) {
  if (resolved.origins.at("data") == Origin::standard) resolved.config.data.clear();
}

base::Result<tensor::Shape> parse_sample_shape(std::string_view text) {
  const auto refuse = [&](std::string_view expected) {
    return base::Reason{base::str("must be ", expected, ", not '", text, "'")};
  };
  constexpr std::int64_t kMost = 1 << 24;
  std::vector<std::int64_t> sizes;
  const char* next = text.data();
  const char* const end = next + text.size();
  for (bool is_first = true; is_first || next != end; is_first = false) {
    if (!is_first && *next++ != 'x') return refuse("sizes with x between them, such as 3x224x224");
    const auto [stop, error] = std::from_chars(next, end, sizes.emplace_back());
    if (error != std::errc() || stop == next) return refuse("sizes with x between them, such as 3x224x224");
    if (sizes.back() < 1 || sizes.back() > kMost) return refuse(base::str("sizes of 1 to ", kMost));
    next = stop;
  }
  if (sizes.size() > 5) return refuse("at most five sizes");
  return tensor::Shape(std::move(sizes));
}

void require_loss(const graph::Graph& graph) {
  if (graph.loss() < 0)
    throw base::UsageError(
        base::str("the model ", graph.name(), " has no loss; only a model with one trains"));
}

bool is_model_file(std::string_view name) { return name.ends_with(".onnx"); }

ConfiguredModel open_configured_model(const RunConfig& config) {
  if (!is_model_file(config.model)) return {.graph = build_configured_model(config)};
  if (config.width != 1 || config.depth != 0 || config.zero_gamma || config.classes != 0 ||
      !config.input.empty())
    throw base::UsageError(
        base::str("--width, --depth, --zero-gamma, --classes and --input shape the models of the "
                  "catalog; ",
                  config.model, " has its shape"));
  onnx::ImportedModel imported = onnx::load_model(config.model);
  return {.graph = std::move(imported.graph),
          .weights = std::move(imported.weights),
          .input = std::move(imported.input),
          .notes = std::move(imported.notes)};
}

graph::Graph build_configured_model(const RunConfig& config) {
  if (is_model_file(config.model)) return open_configured_model(config).graph;
  models::ModelRequest request{.width = config.width, .depth = config.depth, .zero_gamma = config.zero_gamma};
  if (data::find_dataset(config.data) != nullptr) {
    const data::DatasetShape shape =
        data::describe_dataset(config.data, dataset_request(config, data::Split::train));
    request.input_shape = {shape.sample_shape[0], shape.sample_shape[1], shape.sample_shape[2]};
    request.classes = shape.classes;
  }
  if (!config.input.empty()) request.input_shape = parse_sample_shape(config.input).value();
  if (config.classes != 0) request.classes = config.classes;
  base::Result<graph::Graph> graph = models::build_model(config.model, request);
  if (graph && graph->labels() < 0 && config.classes != 0)
    throw base::UsageError(base::str("--classes: the model ", config.model, " learns without labels"));
  if (graph) return std::move(graph).value();
  std::vector<std::string_view> names;
  for (const models::ModelKind& kind : models::catalog()) names.push_back(kind.name);
  const bool is_known = std::find(names.begin(), names.end(), config.model) != names.end();
  throw base::UsageError(graph.reason().text + (is_known ? "" : suggestion(config.model, names)));
}

}  // namespace convoy::run
