#include <algorithm>
#include <cmath>
#include <string_view>

#include "tests/support/random_graph.h"

namespace convoy::testing {
namespace {

using tensor::SegmentKind;
using tensor::Shape;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

std::int64_t count_labels(const graph::Graph& graph) {
  for (const graph::Layer& layer : graph.layers())
    if (layer.kind->traits.takes_labels) return graph.infer(1).values[at(layer.inputs[0])].count_from(1);
  return 0;
}

// Bounds the magnitude of every partial sum of one training step on integers, in units of the last place: 1
// forward, and backward the factor of the loss. One number a value: the largest element's sum of absolute
// terms.
class ExactBound {
 public:
  ExactBound(const graph::Graph& graph, const NetInput& input)
      : graph_(graph), input_(input), shapes_(graph.infer(input.n)) {
    forward_.assign(graph.values().size(), 0);
    backward_.assign(graph.values().size(), 0);
  }

  double run() {
    for (const double x : input_.samples) forward_[0] = std::max(forward_[0], std::abs(x));
    int segment = 0;
    std::vector<int> first;
    for (std::size_t i = 0; i < graph_.layers().size(); ++i) {
      first.push_back(segment);
      segment += static_cast<int>(shapes_.signatures[i].params.size());
      forward(static_cast<int>(i), first.back());
    }
    for (std::size_t i = graph_.layers().size(); i-- > 0;) backward(static_cast<int>(i), first[i]);
    return largest_;
  }

 private:
  void note(double bound) { largest_ = std::max(largest_, bound); }

  // Largest sums of |w| over all of one output's weights, and over all that one input channel meets.
  struct Norms {
    double row = 0, column = 0;
  };
  Norms norms(const Shape& shape, const std::vector<double>& weights) const {
    Norms n;
    const auto rows = static_cast<std::size_t>(shape[0]), columns = static_cast<std::size_t>(shape[1]);
    const std::size_t inner = weights.size() / (rows * columns);
    std::vector<double> column(columns, 0.0);
    for (std::size_t r = 0; r < rows; ++r) {
      double row = 0;
      for (std::size_t c = 0; c < columns; ++c)
        for (std::size_t e = 0; e < inner; ++e) {
          const double w = std::abs(weights[(r * columns + c) * inner + e]);
          row += w;
          column[c] += w;
        }
      n.row = std::max(n.row, row);
    }
    n.column = *std::max_element(column.begin(), column.end());
    return n;
  }

  double largest(const std::vector<double>& values) const {
    double m = 0;
    for (const double v : values) m = std::max(m, std::abs(v));
    return m;
  }

  void forward(int i, int segment) {
    const graph::Layer& layer = graph_.layers()[at(i)];
    const auto& params = shapes_.signatures[at(i)].params;
    double bound = 0;
    for (const int v : layer.inputs)
      bound = layer.kind->op == "Add" || layer.kind->op == "Sum" ? bound + forward_[at(v)]
                                                                 : std::max(bound, forward_[at(v)]);
    if (!params.empty()) {
      bound *= norms(params[0].shape, input_.segments[at(segment)]).row;
      if (params.size() > 1) bound += largest(input_.segments[at(segment + 1)]);
    }
    if (layer.kind->traits.is_loss) {
      const double difference = forward_[at(layer.inputs[0])] + forward_[at(layer.inputs[1])];
      bound = difference * difference * static_cast<double>(shapes_.values[at(layer.inputs[0])].count());
      // Backward in units of 2 / denominator: the gradient is the difference itself.
      backward_[at(layer.inputs[0])] += difference;
    }
    forward_[at(layer.outputs[0])] = bound;
    note(bound);
  }

  void backward(int i, int segment) {
    const graph::Layer& layer = graph_.layers()[at(i)];
    if (layer.kind->traits.is_loss) return;
    const auto& params = shapes_.signatures[at(i)].params;
    double bound = backward_[at(layer.outputs[0])];
    note(bound);
    if (!params.empty()) {
      // One product an output element and sample at most.
      const auto terms = static_cast<double>(shapes_.values[at(layer.outputs[0])].count());
      note(bound * forward_[at(layer.inputs[0])] * terms);
      note(bound * terms);
      // With groups an input channel meets the same column of several groups' rows: the sum bounds it.
      bound *= norms(params[0].shape, input_.segments[at(segment)]).column;
    }
    if (layer.kind->op == "MaxPool")
      for (const std::int64_t size : layer.attributes.integers("kernel_shape"))
        bound *= static_cast<double>(size);
    // A broadcast operand gathers the gradients of all elements it was repeated for.
    for (const int v : layer.inputs) {
      const double repeats = static_cast<double>(shapes_.values[at(layer.outputs[0])].count()) /
                             static_cast<double>(shapes_.values[at(v)].count());
      const bool sums = layer.kind->op == "Add" || layer.kind->op == "Sum";
      backward_[at(v)] += sums ? bound * repeats : bound;
    }
  }

  const graph::Graph& graph_;
  const NetInput& input_;
  graph::Shapes shapes_;
  std::vector<double> forward_, backward_;  // by value
  double largest_ = 0;
};

double draw(const graph::ParamSpec& param, bool exact, base::RandomStream& random) {
  if (exact) return static_cast<double>(random.below(3)) - 1;
  if (param.role == tensor::ParamRole::running_var) return random.uniform(0.5, 2);
  return (param.role == tensor::ParamRole::scale ? 1 : 0) + 0.5 * random.normal();
}

// Sets random weights to zero until float32 holds every partial sum.
void thin_out(const graph::Graph& graph, NetInput& input, base::RandomStream& random) {
  while (ExactBound(graph, input).run() >= double{1 << 24})
    for (std::vector<double>& segment : input.segments)
      for (double& w : segment)
        if (random.below(4) == 0) w = 0;
}

}  // namespace

NetInput random_input(const graph::Graph& graph, std::int64_t n, bool exact_integers,
                      base::RandomStream& random) {
  NetInput input;
  input.n = n;
  input.global_batch = exact_integers ? 4 : n + static_cast<std::int64_t>(random.below(3));
  input.key = {
      .seed = random.bits64(), .step = static_cast<std::int64_t>(random.below(100)), .first_sample = 0};
  const graph::Shapes shapes = graph.infer(n);
  for (const graph::Signature& signature : shapes.signatures)
    for (const graph::ParamSpec& param : signature.params) {
      input.segments.emplace_back();
      for (std::int64_t e = 0; e < param.shape.count(); ++e)
        input.segments.back().push_back(draw(param, exact_integers, random));
    }
  for (std::int64_t e = 0; e < shapes.values[0].count(); ++e)
    input.samples.push_back(exact_integers ? static_cast<double>(random.below(5)) - 2 : random.normal());
  if (const std::int64_t classes = count_labels(graph); classes > 0)
    for (std::int64_t s = 0; s < n; ++s)
      input.labels.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(classes))));
  if (exact_integers) thin_out(graph, input, random);
  return input;
}

}  // namespace convoy::testing
