#include "convoy/run/inspect.h"

#include <set>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/plan/estimate.h"
#include "convoy/plan/lower.h"
#include "convoy/plan/memory.h"
#include "convoy/plan/print.h"
#include "convoy/run/assemble.h"

namespace convoy::run {
namespace {

constexpr std::int64_t kFloat_bytes = 4;

// "onednn/blocked" where all passes agree, else "forward=… backward_data=…".
std::string kernels_text(const plan::LayerPlan& layer) {
  if (layer.fused_into_producer) return "fused into the layer before";
  std::set<std::string> different;
  std::string all;
  for (const auto& [pass, choice] : layer.passes) {
    different.insert(plan::str(choice));
    all += base::str(all.empty() ? "" : " ", kernels::name(pass), "=", plan::str(choice));
  }
  return different.size() == 1 ? *different.begin() : all;
}

LayerReport describe(const graph::Layer& layer, const graph::Signature& signature, const graph::Work& work) {
  LayerReport report{.macs = work.macs, .forward = graph::forward_work(work)};
  report.name = layer.name;
  report.op = layer.kind->op;
  report.attributes = layer.attributes.str();
  for (const tensor::Shape& shape : signature.outputs) {
    report.output_shape += (report.output_shape.empty() ? "" : ", ") + shape.str();
    report.output_bytes += shape.count() * kFloat_bytes;
  }
  for (const graph::ParamSpec& param : signature.params)
    if (param.kind == tensor::SegmentKind::parameter) report.parameters += param.shape.count();
  return report;
}

void describe_layers(const graph::Graph& graph, const plan::Plan& plan, InspectReport& report) {
  const graph::Shapes shapes = graph.infer(1);
  const graph::NetworkWork one = graph::count_work(graph, 1), batch = graph::count_work(graph, report.batch);
  report.macs = one.macs;
  report.forward_of_one = one.forward;
  report.forward = batch.forward;
  report.step = batch.step;
  for (std::size_t i = 0; i < graph.layers().size(); ++i) {
    LayerReport layer = describe(graph.layers()[i], shapes.signatures[i], one.layers[i]);
    layer.kernels = kernels_text(plan.layers[i]);
    report.parameters += layer.parameters;
    report.layers.push_back(std::move(layer));
  }
  for (std::size_t i = 0; i < graph.values().size(); ++i)
    if (!graph.values()[i].is_label) report.activation_bytes += shapes.values[i].count() * kFloat_bytes;
}

MemoryReport describe_memory(const plan::Program& program, const plan::Estimate& estimate, int slot_count) {
  MemoryReport memory{plan::training_memory(program, slot_count)};
  memory.arena_unshared = program.arena_bytes_unshared;
  memory.activation_gradients = estimate.memory.activation_gradients;
  memory.workspace = estimate.memory.workspace;
  return memory;
}

// The value, or its reason as the user's mistake.
template <class T>
T require(base::Result<T> result) {
  if (!result) throw base::UsageError(result.reason().text);
  return std::move(result).value();
}

}  // namespace

InspectReport inspect(const RunConfig& config) {
  const graph::Graph graph = build_configured_model(config);
  require_loss(graph);
  const auto rule = require(optim::make_update_rule(config.optimizer, update_config(config)));
  const PlanningBasis basis(config);
  const plan::Resolution resolution = choose_plan(graph, config, basis);
  const plan::Program program =
      require(plan::lower(graph, resolution.plan, training_step(config), kernels::catalog()));
  const plan::Estimate estimate =
      plan::estimate(program, basis.costs(resolution.plan.threads), kernels::catalog());

  InspectReport report;
  report.model = graph.name();
  report.input_shape = graph.input_shape().str();
  report.batch = config.batch;
  report.predicted_step_seconds = estimate.seconds;
  report.graph_text = graph.str();
  report.plan_text = resolution.plan.str();
  report.program_text = plan::print(program, true);
  describe_layers(graph, resolution.plan, report);
  report.memory = describe_memory(program, estimate, rule->slot_count());
  report.recomputation = describe_recomputation(resolution, config);
  report.algorithms = describe_algorithms(graph, resolution);
  for (const plan::FamilyCost& family : resolution.families)
    report.families.push_back({std::string(kernels::name(family.family)), family.seconds});
  for (const plan::PassedOver& passed : resolution.passed_over)
    if (passed.seconds == 0)
      report.passed_over.push_back(
          base::str(passed.layer, " ", kernels::name(passed.pass), ": ", passed.entry, ": ", passed.reason));
  return report;
}

}  // namespace convoy::run
