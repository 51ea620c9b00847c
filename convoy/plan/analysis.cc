#include "convoy/plan/analysis.h"

#include <algorithm>

#include "convoy/base/check.h"

namespace convoy::plan {

using kernels::Pass;
using Mode = StepConfig::Mode;

namespace {

bool any_of_values(const std::vector<graph::ValueId>& values, const std::vector<bool>& flags) {
  return std::any_of(values.begin(), values.end(), [&](int v) { return flags[static_cast<std::size_t>(v)]; });
}

bool is_learned(const graph::Signature& signature) {
  return std::any_of(signature.params.begin(), signature.params.end(),
                     [](const graph::ParamSpec& p) { return p.kind == tensor::SegmentKind::parameter; });
}

}  // namespace

Analysis::Analysis(const graph::Graph& graph, const StepConfig& config)
    : graph_(graph), config_(config), shapes_(graph.infer(config.batch)) {
  CONVOY_CHECK(!config.bf16 || config.type == tensor::DType::f32, "bf16 beside ", tensor::name(config.type));
  int segment = 0;
  for (const graph::Signature& signature : shapes_.signatures) {
    first_segment_.push_back(segment);
    segment += static_cast<int>(signature.params.size());
  }
  find_needed();
  find_differentiated();
}

void Analysis::find_needed() {
  std::vector<bool> wanted(graph_.values().size(), false);
  wanted[static_cast<std::size_t>(graph_.output())] = true;
  if (config_.mode != Mode::predict && graph_.loss() >= 0)
    wanted[static_cast<std::size_t>(graph_.loss())] = true;
  needed_.assign(graph_.layers().size(), false);
  for (std::size_t i = graph_.layers().size(); i-- > 0;) {
    const graph::Layer& layer = graph_.layers()[i];
    needed_[i] = any_of_values(layer.outputs, wanted);
    if (!needed_[i]) continue;
    for (const int v : layer.inputs) wanted[static_cast<std::size_t>(v)] = true;
  }
}

void Analysis::find_differentiated() {
  differentiated_.assign(graph_.values().size(), false);
  if (config_.mode != Mode::gradient || graph_.loss() < 0) return;
  std::vector<bool> influences(graph_.values().size(), false);
  influences[static_cast<std::size_t>(graph_.loss())] = true;
  for (std::size_t i = graph_.layers().size(); i-- > 0;) {
    const graph::Layer& layer = graph_.layers()[i];
    if (!any_of_values(layer.outputs, influences)) continue;
    for (const int v : layer.inputs) influences[static_cast<std::size_t>(v)] = true;
  }
  std::vector<bool> depends(graph_.values().size(), false);
  for (std::size_t i = 0; i < graph_.layers().size(); ++i) {
    const graph::Layer& layer = graph_.layers()[i];
    const bool learned = any_of_values(layer.inputs, depends) || is_learned(shapes_.signatures[i]);
    for (const int v : layer.outputs) depends[static_cast<std::size_t>(v)] = learned;
  }
  for (std::size_t v = 0; v < depends.size(); ++v) differentiated_[v] = depends[v] && influences[v];
}

bool Analysis::passes_gradient_on(int index) const {
  const graph::Layer& layer = graph_.layers()[static_cast<std::size_t>(index)];
  const auto shape = [&](graph::ValueId v) { return shapes_.values[static_cast<std::size_t>(v)]; };
  return layer.kind->traits.is_sum &&
         std::all_of(layer.inputs.begin(), layer.inputs.end(),
                     [&](graph::ValueId input) { return shape(input) == shape(layer.outputs[0]); });
}

std::vector<Pass> Analysis::passes(int index) const {
  const graph::Layer& layer = graph_.layers()[static_cast<std::size_t>(index)];
  if (!needed(index) || layer.kind->traits.is_view) return {};
  std::vector<Pass> passes = {Pass::forward};
  if (!any_of_values(layer.outputs, differentiated_) || passes_gradient_on(index)) return passes;
  const bool learned = is_learned(shapes_.signatures[static_cast<std::size_t>(index)]);
  if (learned && layer.kind->traits.joint_backward) {
    passes.push_back(Pass::backward);
    return passes;
  }
  // Weights last: then nothing reads the parameters any more while their gradient forms.
  if (any_of_values(layer.inputs, differentiated_)) passes.push_back(Pass::backward_data);
  if (learned) passes.push_back(Pass::backward_weights);
  return passes;
}

kernels::Problem Analysis::problem(int index, Pass pass, kernels::LayoutFamily family, bool bf16) const {
  const graph::Layer& layer = graph_.layers()[static_cast<std::size_t>(index)];
  const graph::Signature& signature = shapes_.signatures[static_cast<std::size_t>(index)];
  kernels::Problem problem;
  problem.kind = layer.kind;
  problem.attributes = layer.attributes;
  problem.pass = pass;
  problem.training = config_.mode == Mode::gradient;
  problem.type = bf16 ? tensor::DType::bf16 : config_.type;
  problem.family = family;
  problem.params = signature.params;
  problem.outputs = signature.outputs;
  const bool data_pass = pass == Pass::backward_data || pass == Pass::backward;
  for (const int v : layer.inputs) {
    problem.inputs.push_back(shapes_.values[static_cast<std::size_t>(v)]);
    problem.wanted.push_back(data_pass && differentiated(v));
  }
  return problem;
}

int Analysis::fusion_producer(int index) const {
  const graph::Layer& layer = graph_.layers()[static_cast<std::size_t>(index)];
  if (layer.kind->op != "Relu" || !needed(index)) return -1;
  const graph::ValueId input = layer.inputs[0];
  const int producer = graph_.values()[static_cast<std::size_t>(input)].producer;
  if (producer < 0 || input == graph_.output() || graph_.consumers(input).size() != 1) return -1;
  const graph::LayerKind& kind = *graph_.layers()[static_cast<std::size_t>(producer)].kind;
  return kind.traits.is_view ? -1 : producer;
}

}  // namespace convoy::plan
