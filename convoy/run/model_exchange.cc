#include "convoy/run/model_exchange.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "convoy/base/error.h"
#include "convoy/io/file.h"
#include "convoy/layers/graph_text.h"
#include "convoy/onnx/export.h"
#include "convoy/run/assemble.h"
#include "convoy/run/checkpoint_texts.h"
#include "convoy/run/initialise.h"
#include "convoy/run/model_file.h"
#include "convoy/run/planning.h"
#include "convoy/run/run_directory.h"
#include "convoy/train/checkpoint.h"
#include "convoy/train/param_store.h"

namespace convoy::run {
namespace {

ExchangeReport describe(const graph::Graph& graph) {
  const tensor::ParamLayout layout = graph.param_layout(tensor::DType::f32);
  return {.model = graph.name(),
          .layers = static_cast<std::int64_t>(graph.layers().size()),
          .parameters = layout.parameter_count};
}

ExchangeReport write(const onnx::ExportRequest& request, const std::string& path) {
  if (!onnx::is_available()) onnx::write_model(path, {});  // says so
  auto exported = onnx::export_model(request);
  if (!exported) throw base::UsageError(base::str("this model cannot be exported: ", exported.reason().text));
  onnx::write_model(path, exported->file);
  ExchangeReport report = describe(request.graph);
  report.path = path;
  report.opset = onnx::kExportOpset;
  report.size_bytes = io::open_file(path)->size_bytes();
  if (!exported->left_out.empty()) {
    std::string names;
    for (const std::string& name : exported->left_out) names += (names.empty() ? "" : ", ") + name;
    report.notes.push_back("left out, because only the loss needs them: " + names);
  }
  return report;
}

// The weights of a checkpoint, whatever layouts its run kept them in.
onnx::Weights checkpoint_weights(const graph::Graph& graph, const std::string& place) {
  const tensor::ParamLayout plain = graph.param_layout(tensor::DType::f32);
  const auto store = train::make_local_store({.layout = plain});
  train::load_checkpoint(place, *store, {.model_hash = hash_text(graph)});
  onnx::Weights weights;
  for (const tensor::Segment& segment : plain.segments) {
    const bool learned = segment.kind == tensor::SegmentKind::parameter;
    const auto source =
        (learned ? store->parameters() : store->state())
            .subspan(static_cast<std::size_t>(segment.offset), static_cast<std::size_t>(segment.count));
    auto values = std::make_shared<tensor::Tensor>(tensor::DType::f32, segment.global_shape);
    std::copy(source.begin(), source.end(), values->as<float>().begin());
    weights[segment.name] = std::move(values);
  }
  return weights;
}

// Class names stand beside the graph in a checkpoint; a file has them once.
graph::Graph with_class_names(const graph::Graph& graph, const std::vector<std::string>& names) {
  if (!graph.class_names().empty() || names.empty()) return graph;
  std::string text = graph.str();
  for (const std::string& name : names) text += "class " + name + "\n";
  return layers::parse_graph(text).value();
}

}  // namespace

ExchangeReport export_checkpoint(const std::string& place, const std::string& path) {
  const std::string checkpoint = checkpoint_place(place);
  const CheckpointTexts texts = from_texts(train::read_manifest(checkpoint), checkpoint);
  const onnx::Weights weights = checkpoint_weights(texts.graph, checkpoint);
  const graph::Graph graph = with_class_names(texts.graph, texts.input.class_names);
  std::optional<onnx::InputMetadata> input;
  if (!texts.input.data.empty())
    input = onnx::InputMetadata{texts.input.data, texts.input.mean, texts.input.stddev};
  return write({.graph = graph, .weights = weights, .input = std::move(input)}, path);
}

ExchangeReport export_fresh(const RunConfig& config, const std::string& path) {
  const ConfiguredModel model = open_configured_model(config);
  const onnx::Weights weights =
      model.weights.empty() ? initial_weights(model.graph, config.seed) : model.weights;
  return write({.graph = model.graph, .weights = weights, .input = model.input}, path);
}

ExchangeReport import_model_file(const std::string& path, const std::string& directory) {
  onnx::ImportedModel imported = onnx::load_model(path);
  ResolvedConfig resolved;
  resolved.config.model = path;
  if (imported.input && !imported.input->data.empty()) resolved.config.data = imported.input->data;
  const CheckpointTexts texts{.graph = imported.graph,
                              .plan = inference_plan(imported.graph, 0),
                              .input = describe_input(imported, path),
                              .config = to_toml(resolved, /*with_origins=*/false)};
  const tensor::ParamLayout plain = imported.graph.param_layout(tensor::DType::f32);
  const auto store = train::make_local_store({.layout = plain});
  load_weights(imported.weights, *store);

  const RunDirectory target(directory);
  if (target.holds_a_run())
    throw base::UsageError(base::str(directory, ": holds a run already; choose another directory"));
  target.write_config(texts.config);
  ExchangeReport report = describe(imported.graph);
  report.path = train::save_checkpoint(target.checkpoints(),
                                       {.seed = resolved.config.seed,
                                        .model_hash = hash_text(imported.graph),
                                        .rule = "none",
                                        .texts = to_texts(texts)},
                                       *store, {}, 1);
  report.notes = std::move(imported.notes);
  return report;
}

}  // namespace convoy::run
