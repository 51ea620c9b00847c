#include "convoy/run/initialise.h"

#include <algorithm>
#include <span>
#include <vector>

#include "convoy/base/check.h"

namespace convoy::run {

void initialise_store(const graph::Graph& graph, std::uint64_t seed, train::ParamStore& store) {
  const tensor::ParamLayout plain = graph.param_layout(tensor::DType::f32);
  const tensor::ParamLayout& stored = store.layout();
  CONVOY_CHECK(plain.segments.size() == stored.segments.size(), plain.segments.size(), " segments of ",
               graph.name(), " for a store of ", stored.segments.size());
  std::vector<float> parameters(static_cast<std::size_t>(plain.parameter_extent), 0.0f);
  std::vector<float> state(static_cast<std::size_t>(plain.state_extent), 0.0f);
  graph::initialise(graph, plain, seed, parameters, state);
  for (std::size_t s = 0; s < plain.segments.size(); ++s) {
    const tensor::Segment& from = plain.segments[s];
    const tensor::Segment& to = stored.segments[s];
    const bool learned = from.kind == tensor::SegmentKind::parameter;
    const std::span<const float> source =
        std::span<const float>(learned ? parameters : state)
            .subspan(static_cast<std::size_t>(from.offset), static_cast<std::size_t>(from.count));
    const std::span<float> target =
        (learned ? store.parameters() : store.state())
            .subspan(static_cast<std::size_t>(to.offset), static_cast<std::size_t>(to.count));
    if (to.layout_tag == "plain") {
      std::copy(source.begin(), source.end(), target.begin());
    } else {
      store.codec()->from_plain(to, source, target);
    }
  }
}

}  // namespace convoy::run
