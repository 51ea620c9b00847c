#include "convoy/app/inspect_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "convoy/report/table.h"
#include "convoy/report/text.h"

namespace convoy::app {
namespace {

using report::Align;
using report::compact;
using report::memory_size;
using report::thousands;

std::string head(const run::InspectReport& report) {
  return fmt::format("{}: input {}, {} parameters, {} MACs and {} of activations an image\n", report.model,
                     report.input_shape, thousands(report.parameters), thousands(report.macs),
                     memory_size(report.activation_bytes));
}

// Average parallelism; nothing where nothing is computed.
std::string parallelism(const graph::WorkDepth& counted) {
  return counted.depth > 0 ? compact(counted.parallelism()) : "";
}

std::string layers(const run::InspectReport& report) {
  report::Table table({{"layer"},
                       {"operator"},
                       {"output of one image", Align::right},
                       {"parameters", Align::right},
                       {"MACs", Align::right},
                       {"work W", Align::right},
                       {"depth D", Align::right},
                       {"W/D", Align::right},
                       {"output", Align::right},
                       {"kernels"}});
  for (const run::LayerReport& layer : report.layers)
    table.add({layer.name, layer.op, layer.output_shape, thousands(layer.parameters), thousands(layer.macs),
               thousands(layer.forward.work), thousands(layer.forward.depth), parallelism(layer.forward),
               memory_size(layer.output_bytes), layer.kernels});
  return table.str();
}

std::string work_depth(const run::InspectReport& report) {
  report::Table table({{"work and depth of the network"},
                       {"work W", Align::right},
                       {"depth D", Align::right},
                       {"W/D", Align::right}});
  const auto add = [&](const std::string& what, const graph::WorkDepth& counted) {
    table.add({what, thousands(counted.work), thousands(counted.depth), parallelism(counted)});
  };
  add("forward, one image", report.forward_of_one);
  add(fmt::format("forward, batch {}", report.batch), report.forward);
  add(fmt::format("training step, batch {}, without the update", report.batch), report.step);
  return table.str();
}

std::string memory(const run::InspectReport& report) {
  const run::MemoryReport& memory = report.memory;
  report::Table table(
      {{fmt::format("memory of a training step, batch {}", report.batch)}, {"", Align::right}});
  table.add({"input batch and labels", memory_size(memory.data)});
  table.add({"W    weights", memory_size(memory.weights)});
  table.add({"∇W   their gradients", memory_size(memory.gradients)});
  table.add({"     optimizer state", memory_size(memory.optimizer)});
  table.add({"     what kernels keep of the weights", memory_size(memory.derived)});
  table.add({"D ∇D activations, their gradients, workspace", memory_size(memory.arena)});
  table.add_rule();
  table.add({"together", memory_size(memory.total())});
  return table.str() +
         fmt::format("D and ∇D would take {} without sharing, of which ∇D {}; workspace {}.\n",
                     memory_size(memory.arena_unshared), memory_size(memory.activation_gradients),
                     memory_size(memory.workspace)) +
         (report.recomputation.was_requested() ? recomputation_line(report.recomputation) + "\n" : "");
}

std::string time(const run::InspectReport& report) {
  const double rate = report.predicted_step_seconds > 0
                          ? static_cast<double>(report.batch) / report.predicted_step_seconds
                          : 0;
  return fmt::format("predicted: {} a step, {} images/s\n", report::duration(report.predicted_step_seconds),
                     compact(rate));
}

std::string algorithms(const run::InspectReport& report) {
  std::string out = report.algorithms.empty() ? "" : "\nconvolutions (~: predicted, not measured):\n";
  for (const std::string& line : run::algorithm_lines(report.algorithms)) out += "  " + line + "\n";
  out += "\nlayouts:";
  for (const run::FamilyReport& family : report.families)
    out += fmt::format("{} {} {} a step", &family == report.families.data() ? "" : ",", family.name,
                       report::duration(family.seconds));
  return out + "\n";
}

// Equal reasons once, with the number of passes that they hold for.
std::string passed_over(const run::InspectReport& report) {
  std::vector<std::pair<std::string, int>> reasons;
  for (const std::string& line : report.passed_over) {
    const std::size_t place = line.find(": ");  // "conv1 forward: onednn: reason"
    const std::string reason = place == std::string::npos ? line : line.substr(place + 2);
    const auto known = std::find_if(reasons.begin(), reasons.end(),
                                    [&](const auto& entry) { return entry.first == reason; });
    if (known == reasons.end())
      reasons.emplace_back(reason, 1);
    else
      ++known->second;
  }
  std::string out = reasons.empty() ? "" : "\nkernels passed over:\n";
  for (const auto& [reason, passes] : reasons)
    out += fmt::format("  {} ({} pass{})\n", reason, passes, passes == 1 ? "" : "es");
  return out;
}

io::Json work_depth_json(const graph::WorkDepth& counted) {
  return io::Json::object(
      {{"work", counted.work}, {"depth", counted.depth}, {"parallelism", counted.parallelism()}});
}

io::Json layer_json(const run::LayerReport& layer) {
  return io::Json::object({{"name", layer.name},
                           {"op", layer.op},
                           {"output_shape", layer.output_shape},
                           {"attributes", layer.attributes},
                           {"kernels", layer.kernels},
                           {"parameters", layer.parameters},
                           {"macs", layer.macs},
                           {"work", layer.forward.work},
                           {"depth", layer.forward.depth},
                           {"parallelism", layer.forward.parallelism()},
                           {"output_bytes", layer.output_bytes}});
}

io::Json algorithm_json(const run::AlgorithmReport& algorithm) {
  io::Json others = io::Json::array();
  for (const run::OtherAlgorithm& other : algorithm.others)
    others.append(io::Json::object({{"kernel", other.kernel},
                                    {"reason", other.reason},
                                    {"seconds", other.seconds > 0 ? io::Json(other.seconds) : io::Json()},
                                    {"measured", other.measured}}));
  return io::Json::object({{"layer", algorithm.layer},
                           {"direction", algorithm.direction},
                           {"kernel", algorithm.kernel},
                           {"seconds", algorithm.seconds},
                           {"measured", algorithm.measured},
                           {"others", others}});
}

io::Json memory_json(const run::MemoryReport& memory) {
  return io::Json::object({{"data_bytes", memory.data},
                           {"weights_bytes", memory.weights},
                           {"weight_gradients_bytes", memory.gradients},
                           {"optimizer_bytes", memory.optimizer},
                           {"derived_bytes", memory.derived},
                           {"arena_bytes", memory.arena},
                           {"arena_unshared_bytes", memory.arena_unshared},
                           {"activation_gradients_bytes", memory.activation_gradients},
                           {"workspace_bytes", memory.workspace},
                           {"total_bytes", memory.total()}});
}

io::Json recomputation_json(const run::RecomputationReport& report) {
  return io::Json::object(
      {{"limit_bytes", report.limit_bytes}, {"layers", report.layers}, {"seconds", report.seconds}});
}

}  // namespace

std::string recomputation_line(const run::RecomputationReport& report) {
  const double rest = report.step_seconds - report.seconds;
  const std::string limit =
      report.limit_bytes == 0 ? "" : fmt::format(" of the {} allowed", memory_size(report.limit_bytes));
  return fmt::format("recomputation: {}{} for a training step; {} layer{} computed again, which adds {} ({})",
                     memory_size(report.memory_bytes), limit, report.layers, report.layers == 1 ? "" : "s",
                     report::duration(report.seconds),
                     report::percent(rest > 0 ? report.seconds / rest : 0, 1));
}

std::string inspection_text(const run::InspectReport& report, std::string_view part) {
  if (part == "graph") return report.graph_text;
  if (part == "layers") return layers(report) + "\n" + work_depth(report);
  if (part == "memory") return memory(report);
  if (part == "plan") return report.plan_text;
  if (part == "program") return report.program_text;
  std::string out = head(report) + "\n" + layers(report) + "\n" + work_depth(report) + "\n" + memory(report) +
                    "\n" + time(report);
  if (part == "algorithms") return algorithms(report);
  if (part == "summary") return out;
  out += algorithms(report) + passed_over(report);
  return out + "\nplan:\n" + report.plan_text + "\nprogram:\n" + report.program_text;
}

io::Json inspection_json(const run::InspectReport& report) {
  io::Json layers = io::Json::array();
  for (const run::LayerReport& layer : report.layers) layers.append(layer_json(layer));
  io::Json algorithms = io::Json::array();
  for (const run::AlgorithmReport& algorithm : report.algorithms)
    algorithms.append(algorithm_json(algorithm));
  io::Json families = io::Json::object();
  for (const run::FamilyReport& family : report.families) families.set(family.name, family.seconds);
  io::Json passed_over = io::Json::array();
  for (const std::string& reason : report.passed_over) passed_over.append(reason);
  return io::Json::object(
      {{"model", report.model},
       {"input_shape", report.input_shape},
       {"batch", report.batch},
       {"parameters", report.parameters},
       {"macs", report.macs},
       {"work_depth", io::Json::object({{"forward_of_one", work_depth_json(report.forward_of_one)},
                                        {"forward", work_depth_json(report.forward)},
                                        {"step", work_depth_json(report.step)}})},
       {"activation_bytes", report.activation_bytes},
       {"layers", layers},
       {"memory", memory_json(report.memory)},
       {"recomputation", recomputation_json(report.recomputation)},
       {"predicted_step_seconds", report.predicted_step_seconds},
       {"graph", report.graph_text},
       {"plan", report.plan_text},
       {"program", report.program_text},
       {"algorithms", algorithms},
       {"layout_seconds", families},
       {"passed_over", passed_over}});
}

}  // namespace convoy::app
