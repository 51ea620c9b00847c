// From settings to the parts that training and inspection share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/graph/graph.h"
#include "convoy/onnx/import.h"
#include "convoy/optim/update_rule.h"
#include "convoy/plan/plan.h"
#include "convoy/run/config.h"

namespace convoy::run {

// The compute threads that the config asks for: its number, or all processors available.
int resolve_threads(const RunConfig& config);

// What the config asks of the plan. Throws UsageError for a layout or kernel list that cannot be read.
plan::PlanRequest plan_request(const RunConfig& config);

// Whether the config's steps may keep activations in bf16. Throws UsageError where it asks for what this
// processor lacks.
bool uses_bf16(const RunConfig& config);

// The hyper-parameters of all update rules.
optim::UpdateConfig update_config(const RunConfig& config);

// Where nobody chose a data set, the model gets the input and classes that its catalog says, and not those of
// the standard data set: for commands that need a model alone.
void take_own_shape(ResolvedConfig& resolved);

// "3x224x224": sizes of one to five dimensions, each at least 1.
base::Result<tensor::Shape> parse_sample_shape(std::string_view text);

// The config's model: of the catalog, for the input and classes that it sets, else those of its data set, or
// the model's own where the data set is not in the catalog; or of an ONNX file. Throws UsageError where the
// model cannot be built.
graph::Graph build_configured_model(const RunConfig& config);

// A model and what is known of it beside the graph.
struct ConfiguredModel {
  graph::Graph graph;
  onnx::Weights weights;                          // all of them; none where training begins anew
  std::optional<onnx::InputMetadata> input = {};  // of the training before
  std::vector<std::string> notes = {};
};

// Throws UsageError where the model has no loss, as a file's need not: a training step is planned for its
// loss.
void require_loss(const graph::Graph& graph);

// Whether a model's name is a file's: "net.onnx".
bool is_model_file(std::string_view name);

// The same for a model file too, with its weights. Throws InputError for a file that cannot be imported.
ConfiguredModel open_configured_model(const RunConfig& config);

}  // namespace convoy::run
