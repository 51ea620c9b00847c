#include "convoy/graph/work_depth.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "convoy/base/check.h"

namespace convoy::graph {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

std::int64_t ceil_log2(std::size_t n) { return std::bit_width(n - 1); }

// Adds what is not negative. A count beyond int64 stays at its end: no machine gets there.
void add(std::int64_t& sum, std::int64_t value) {
  if (__builtin_add_overflow(sum, value, &sum)) sum = std::numeric_limits<std::int64_t>::max();
}

// Walks the graph once forward and once backward; times count levels since the start of the step.
class Counter {
 public:
  Counter(const Graph& graph, std::int64_t n)
      : graph_(graph),
        shapes_(graph.infer(n)),
        ready_(graph.values().size(), 0),
        learns_(graph.values().size(), false),
        gradients_(graph.values().size()) {}

  NetworkWork run() {
    for (const Layer& layer : graph_.layers()) forward(layer);
    result_.step = result_.forward;
    if (graph_.loss() >= 0) backward();
    return std::move(result_);
  }

 private:
  bool has_parameters(std::size_t layer) const {
    const std::vector<ParamSpec>& params = shapes_.signatures[layer].params;
    return std::any_of(params.begin(), params.end(),
                       [](const ParamSpec& param) { return param.kind == tensor::SegmentKind::parameter; });
  }

  void forward(const Layer& layer) {
    const std::size_t index = result_.layers.size();
    std::vector<tensor::Shape> inputs;
    std::int64_t start = 0;
    bool learns = has_parameters(index);
    for (const ValueId id : layer.inputs) {
      inputs.push_back(shapes_.values[at(id)]);
      start = std::max(start, ready_[at(id)]);
      learns = learns || learns_[at(id)];
    }
    const Work work = layer.kind->work(layer.attributes, inputs, shapes_.signatures[index]);
    for (const ValueId id : layer.outputs) {
      ready_[at(id)] = start + work.depth;
      learns_[at(id)] = learns;
    }
    result_.layers.push_back(work);
    add(result_.macs, work.macs);
    add(result_.forward.work, forward_work(work).work);
    result_.forward.depth = std::max(result_.forward.depth, start + work.depth);
  }

  void backward() {
    gradients_[at(graph_.loss())] = {ready_[at(graph_.loss())]};
    for (std::size_t i = graph_.layers().size(); i-- > 0;) {
      const Layer& layer = graph_.layers()[i];
      const ValueId output = layer.outputs[0];
      if (learns_[at(output)] && !gradients_[at(output)].empty()) backward(i, layer);
    }
  }

  // When the gradient of a value is complete: its contributions are added up in a tree.
  std::int64_t gradient_ready(ValueId value) {
    const std::vector<std::int64_t>& parts = gradients_[at(value)];
    for (std::size_t k = 1; k < parts.size(); ++k) add(result_.step.work, shapes_.values[at(value)].count());
    return *std::max_element(parts.begin(), parts.end()) + ceil_log2(parts.size());
  }

  void backward(std::size_t index, const Layer& layer) {
    const Work& work = result_.layers[index];
    const std::int64_t start = gradient_ready(layer.outputs[0]);
    const bool weights = has_parameters(index);
    bool data = false;
    for (const ValueId id : layer.inputs) {
      if (!learns_[at(id)]) continue;
      data = true;
      gradients_[at(id)].push_back(start + work.depth_backward_data);
    }
    add(result_.step.work, work.other_flops_backward);
    if (data) add_pass(work.macs_backward / 2, start + work.depth_backward_data);
    if (weights) add_pass(work.macs_backward / 2, start + work.depth_backward_weights);
  }

  void add_pass(std::int64_t macs, std::int64_t end) {
    add(result_.step.work, macs);
    result_.step.depth = std::max(result_.step.depth, end);
  }

  const Graph& graph_;
  Shapes shapes_;
  std::vector<std::int64_t> ready_;                   // by value
  std::vector<bool> learns_;                          // by value: parameters influence it
  std::vector<std::vector<std::int64_t>> gradients_;  // by value: when each reader has its contribution
  NetworkWork result_;
};

}  // namespace

WorkDepth forward_work(const Work& work) { return {work.macs + work.other_flops, work.depth}; }

NetworkWork count_work(const Graph& graph, std::int64_t n) {
  CONVOY_CHECK(n >= 1, "a batch of ", n);
  return Counter(graph, n).run();
}

}  // namespace convoy::graph
