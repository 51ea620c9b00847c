#include "convoy/graph/initialise.h"

#include <algorithm>
#include <cmath>

#include "convoy/base/rng.h"
#include "convoy/base/threads.h"

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

constexpr std::int64_t kBlock = 4096;  // elements that share a stream: part of the draws' identity

// Where element `index` of the global array stands in the slice, or -1.
std::int64_t position_in_slice(const tensor::Segment& segment, std::int64_t index) {
  std::int64_t position = 0, stride = 1;
  for (std::size_t d = segment.slice.begin.size(); d-- > 0;) {
    const std::int64_t size = segment.global_shape[static_cast<int>(d)];
    const std::int64_t i = index % size - segment.slice.begin[d];
    if (i < 0 || i >= segment.slice.extent[d]) return -1;
    position += i * stride;
    stride *= segment.slice.extent[d];
    index /= size;
  }
  return position;
}

// Draws the whole global array, block by block, and keeps the slice: every partition and every number of
// threads starts from the same weights.
struct Fill {
  const tensor::Segment& segment;
  const Initialiser& rule;
  std::uint64_t seed;
  std::uint64_t graph_index;
  std::span<float> out;

  void run() const {
    const std::int64_t count = segment.global_shape.count();
    const bool is_whole = segment.count == count;
    base::parallel_for(count, kBlock, [&](base::IndexRange range) {
      for (std::int64_t first = range.begin; first < range.end; first += kBlock) {
        base::RandomStream stream(seed, base::Purpose::initialise, graph_index,
                                  static_cast<std::uint64_t>(first / kBlock));
        for (std::int64_t i = first; i < std::min(first + kBlock, count); ++i) {
          const auto value = static_cast<float>(draw(rule, stream));
          const std::int64_t position = is_whole ? i : position_in_slice(segment, i);
          if (position >= 0) out[static_cast<std::size_t>(position)] = value;
        }
      }
    });
  }
};

}  // namespace

void initialise(const Graph& graph, const tensor::ParamLayout& layout, std::uint64_t seed,
                std::span<float> parameters, std::span<float> state) {
  CONVOY_CHECK(static_cast<std::int64_t>(parameters.size()) == layout.parameter_extent &&
                   static_cast<std::int64_t>(state.size()) == layout.state_extent,
               "arenas of ", parameters.size(), " and ", state.size());
  std::fill(parameters.begin(), parameters.end(), 0.0f);  // padding too: checkpoints compare whole arenas
  std::fill(state.begin(), state.end(), 0.0f);
  const InitialValues values(graph, seed);
  for (const tensor::Segment& segment : layout.segments) {
    const std::span<float> arena = segment.kind == tensor::SegmentKind::parameter ? parameters : state;
    values.draw(segment, arena.subspan(static_cast<std::size_t>(segment.offset),
                                       static_cast<std::size_t>(segment.count)));
  }
}

InitialValues::InitialValues(const Graph& graph, std::uint64_t seed) : seed_(seed) {
  const Shapes shapes = graph.infer(1);
  std::uint64_t index = 0;  // not the layout's: a rank that holds a part draws the same
  for (std::size_t i = 0; i < graph.layers().size(); ++i)
    for (const ParamSpec& spec : shapes.signatures[i].params)
      rules_[graph.layers()[i].name + "." + spec.name] = {spec.initialiser, index++};
}

void InitialValues::draw(const tensor::Segment& segment, std::span<float> out) const {
  CONVOY_CHECK(segment.layout_tag == "plain", segment.name, " is ", segment.layout_tag);
  const auto found = rules_.find(segment.name);
  CONVOY_CHECK(found != rules_.end(), segment.name, " is no parameter or state of the graph");
  Fill{.segment = segment,
       .rule = found->second.initialiser,
       .seed = seed_,
       .graph_index = found->second.index,
       .out = out}
      .run();
}

}  // namespace convoy::graph
