// Any bytes as a model's text, and as one attribute list. An accepted model prints the text that it came
// from, and its shapes, parameters and work can be asked for whatever its sizes; nothing of its size is
// allocated.
#include "convoy/layers/graph_text.h"

#include "convoy/graph/work_depth.h"
#include "fuzz/fuzz_input.h"

namespace {

using convoy::graph::Graph;

void ask_everything(const Graph& graph) {
  const convoy::tensor::ParamLayout layout = graph.param_layout(convoy::tensor::DType::f64);
  CONVOY_CHECK(layout.parameter_count >= 0 && layout.parameter_extent >= 0);
  const convoy::graph::NetworkWork work = convoy::graph::count_work(graph, 3);
  CONVOY_CHECK(work.layers.size() == graph.layers().size());
  CONVOY_CHECK(work.macs >= 0 && work.forward.work >= 0 && work.forward.depth >= 0);
  CONVOY_CHECK(work.step.work >= work.forward.work && work.step.depth >= work.forward.depth);
}

void check_model(std::string_view text) {
  const auto graph = convoy::layers::parse_graph(text);
  if (!graph) {
    CONVOY_CHECK(!graph.reason().text.empty());
    return;
  }
  const std::string printed = graph->str();
  const auto back = convoy::layers::parse_graph(printed);
  CONVOY_CHECK(back.ok(), printed, "\n", back.ok() ? "" : back.reason().text);
  CONVOY_CHECK(back->str() == printed && back->hash() == graph->hash(), printed);
  ask_everything(*graph);
}

void check_attributes(std::string_view text) {
  const auto attributes = convoy::graph::Attributes::parse(text);
  if (!attributes) return;
  const std::string printed = attributes->str();
  const auto back = convoy::graph::Attributes::parse(printed);
  CONVOY_CHECK(back.ok() && back->str() == printed, printed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = convoy::fuzz::as_text(data, size);
  check_model(text);
  check_attributes(text);
  return 0;
}
