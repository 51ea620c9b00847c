#include <algorithm>
#include <cmath>

#include "convoy/base/rng.h"
#include "convoy/graph/graph.h"

namespace convoy::graph {
namespace {

double draw(const Initialiser& rule, base::RandomStream& stream) {
  switch (rule.rule) {
    case Initialiser::Rule::constant:
      return rule.value;
    case Initialiser::Rule::gaussian:
      return rule.stddev * stream.normal();
    case Initialiser::Rule::glorot_uniform: {
      const double limit = std::sqrt(6.0 / static_cast<double>(rule.fan_in + rule.fan_out));
      return stream.uniform(-limit, limit);
    }
    case Initialiser::Rule::he_normal:
      return std::sqrt(2.0 / static_cast<double>(rule.fan_in)) * stream.normal();
  }
  CONVOY_CHECK(false, "rule ", static_cast<int>(rule.rule));
}

// Draws the whole global array in row-major order and keeps the slice, so that every partition starts
// from the same weights.
void fill(const tensor::Segment& segment, const Initialiser& rule, base::RandomStream stream,
          std::span<float> out) {
  const auto& sizes = segment.global_shape.sizes();
  std::vector<std::int64_t> index(sizes.size(), 0);
  std::size_t written = 0;
  const std::int64_t count = segment.global_shape.count();
  for (std::int64_t element = 0; element < count; ++element) {
    const auto value = static_cast<float>(draw(rule, stream));
    bool inside = true;
    for (std::size_t d = 0; d < sizes.size(); ++d)
      inside = inside && index[d] >= segment.slice.begin[d] &&
               index[d] < segment.slice.begin[d] + segment.slice.extent[d];
    if (inside) out[written++] = value;
    for (std::size_t d = sizes.size(); d-- > 0;) {
      if (++index[d] < sizes[d]) break;
      index[d] = 0;
    }
  }
  CONVOY_CHECK(written == out.size(), "segment ", segment.name, ": ", written, " of ", out.size());
}

}  // namespace

void initialise(const Graph& graph, const tensor::ParamLayout& layout, std::uint64_t seed,
                std::span<float> parameters, std::span<float> state) {
  CONVOY_CHECK(static_cast<std::int64_t>(parameters.size()) == layout.parameter_extent &&
                   static_cast<std::int64_t>(state.size()) == layout.state_extent,
               "arenas of ", parameters.size(), " and ", state.size());
  std::fill(parameters.begin(), parameters.end(), 0.0f);  // padding too: checkpoints compare whole arenas
  std::fill(state.begin(), state.end(), 0.0f);
  const Shapes shapes = graph.infer(1);
  std::uint64_t graph_index = 0;  // not the layout's: a rank that holds a part draws the same
  for (std::size_t i = 0; i < graph.layers().size(); ++i) {
    for (const ParamSpec& spec : shapes.signatures[i].params) {
      const base::RandomStream stream(seed, base::Purpose::initialise, graph_index++, 0);
      const int found = layout.find(graph.layers()[i].name + "." + spec.name);
      if (found < 0) continue;
      const tensor::Segment& segment = layout.segments[static_cast<std::size_t>(found)];
      CONVOY_CHECK(segment.layout_tag == "plain", segment.name, " is ", segment.layout_tag);
      const std::span<float> arena = segment.kind == tensor::SegmentKind::parameter ? parameters : state;
      fill(segment, spec.initialiser, stream,
           arena.subspan(static_cast<std::size_t>(segment.offset), static_cast<std::size_t>(segment.count)));
    }
  }
}

}  // namespace convoy::graph
