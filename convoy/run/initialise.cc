#include "convoy/run/initialise.h"

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/graph/initialise.h"

namespace convoy::run {
namespace {

// The place of one segment in the store.
std::span<float> place_of(const tensor::Segment& segment, train::ParamStore& store) {
  const bool learned = segment.kind == tensor::SegmentKind::parameter;
  return (learned ? store.parameters() : store.state())
      .subspan(static_cast<std::size_t>(segment.offset), static_cast<std::size_t>(segment.count));
}

// Row-major values of one segment into the place and layout that the store has for it.
void fill(const tensor::Segment& segment, std::span<const float> values, train::ParamStore& store) {
  const std::span<float> target = place_of(segment, store);
  if (segment.layout_tag == "plain")
    std::copy(values.begin(), values.end(), target.begin());
  else
    store.codec()->from_plain(segment, values, target);
}

}  // namespace

void initialise_store(const graph::Graph& graph, std::uint64_t seed, train::ParamStore& store) {
  const graph::InitialValues initial(graph, seed);
  const tensor::ParamLayout plain = graph.param_layout(tensor::DType::f32);
  const std::vector<tensor::Segment>& stored = store.layout().segments;
  CONVOY_CHECK(plain.segments.size() == stored.size(), plain.segments.size(), " segments of ", graph.name(),
               " for a store of ", stored.size());
  for (std::size_t s = 0; s < stored.size(); ++s) {
    if (stored[s].layout_tag == "plain") {
      initial.draw(stored[s], place_of(stored[s], store));
      continue;
    }
    std::vector<float> values(static_cast<std::size_t>(plain.segments[s].count));
    initial.draw(plain.segments[s], values);
    fill(stored[s], values, store);
  }
}

void load_weights(const onnx::Weights& weights, train::ParamStore& store) {
  for (const tensor::Segment& segment : store.layout().segments) {
    const auto found = weights.find(segment.name);
    CONVOY_CHECK(found != weights.end() && found->second->shape() == segment.global_shape, segment.name);
    fill(segment, found->second->as<float>(), store);
  }
}

onnx::Weights initial_weights(const graph::Graph& graph, std::uint64_t seed) {
  const graph::InitialValues initial(graph, seed);
  onnx::Weights weights;
  for (const tensor::Segment& segment : graph.param_layout(tensor::DType::f32).segments) {
    auto values = std::make_shared<tensor::Tensor>(tensor::DType::f32, segment.global_shape);
    initial.draw(segment, values->as<float>());
    weights[segment.name] = std::move(values);
  }
  return weights;
}

}  // namespace convoy::run
