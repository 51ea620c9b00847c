#include "convoy/run/initialise.h"

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "convoy/base/check.h"

namespace convoy::run {
namespace {

// Row-major values of one segment into the place and layout that the store has for it.
void fill(const tensor::Segment& segment, std::span<const float> values, train::ParamStore& store) {
  const bool learned = segment.kind == tensor::SegmentKind::parameter;
  const std::span<float> target =
      (learned ? store.parameters() : store.state())
          .subspan(static_cast<std::size_t>(segment.offset), static_cast<std::size_t>(segment.count));
  if (segment.layout_tag == "plain")
    std::copy(values.begin(), values.end(), target.begin());
  else
    store.codec()->from_plain(segment, values, target);
}

// All initial values of a graph, plain.
class InitialValues {
 public:
  InitialValues(const graph::Graph& graph, std::uint64_t seed)
      : layout_(graph.param_layout(tensor::DType::f32)),
        parameters_(static_cast<std::size_t>(layout_.parameter_extent), 0.0f),
        state_(static_cast<std::size_t>(layout_.state_extent), 0.0f) {
    graph::initialise(graph, layout_, seed, parameters_, state_);
  }

  const std::vector<tensor::Segment>& segments() const { return layout_.segments; }
  std::span<const float> of(const tensor::Segment& segment) const {
    const bool learned = segment.kind == tensor::SegmentKind::parameter;
    return std::span<const float>(learned ? parameters_ : state_)
        .subspan(static_cast<std::size_t>(segment.offset), static_cast<std::size_t>(segment.count));
  }

 private:
  tensor::ParamLayout layout_;
  std::vector<float> parameters_, state_;
};

}  // namespace

void initialise_store(const graph::Graph& graph, std::uint64_t seed, train::ParamStore& store) {
  const InitialValues initial(graph, seed);
  const std::vector<tensor::Segment>& stored = store.layout().segments;
  CONVOY_CHECK(initial.segments().size() == stored.size(), initial.segments().size(), " segments of ",
               graph.name(), " for a store of ", stored.size());
  for (std::size_t s = 0; s < stored.size(); ++s) fill(stored[s], initial.of(initial.segments()[s]), store);
}

void load_weights(const onnx::Weights& weights, train::ParamStore& store) {
  for (const tensor::Segment& segment : store.layout().segments) {
    const auto found = weights.find(segment.name);
    CONVOY_CHECK(found != weights.end() && found->second->shape() == segment.global_shape, segment.name);
    fill(segment, found->second->as<float>(), store);
  }
}

onnx::Weights initial_weights(const graph::Graph& graph, std::uint64_t seed) {
  const InitialValues initial(graph, seed);
  onnx::Weights weights;
  for (const tensor::Segment& segment : initial.segments()) {
    auto values = std::make_shared<tensor::Tensor>(tensor::DType::f32, segment.global_shape);
    const std::span<const float> source = initial.of(segment);
    std::copy(source.begin(), source.end(), values->as<float>().begin());
    weights[segment.name] = std::move(values);
  }
  return weights;
}

}  // namespace convoy::run
