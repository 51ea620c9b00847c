#include "tests/support/random_graph.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "convoy/layers/catalog.h"

namespace convoy::testing {
namespace {

using graph::Attributes;
using tensor::Shape;
using Ints = std::vector<std::int64_t>;

// Collects random layers; loose ends are the values that nothing reads yet.
class GraphMaker {
 public:
  GraphMaker(const RandomGraphConfig& config, base::RandomStream& random)
      : config_(config), random_(random), builder_("random", sample_shape()) {
    values_ = loose_ = {builder_.input()};
  }

  graph::Graph run() {
    const int layers = between(1, config_.max_layers);
    for (int tries = 0; count_ < layers && tries < 20 * layers; ++tries) add_random_layer();
    add_head();
    auto graph = std::move(builder_).build();
    CONVOY_CHECK(graph.ok(), "the generator made a wrong graph: ", graph.reason().text);
    return std::move(graph).value();
  }

 private:
  int between(int low, int high) {
    return low + static_cast<int>(random_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool chance(int percent) { return between(1, 100) <= percent; }

  // The loss of exact nets divides by the elements of a sample: powers of two there.
  Shape sample_shape() {
    const int rank = config_.smooth ? 2 : between(0, 3);
    Ints sizes = {config_.exact_integers ? std::int64_t{1} << between(0, 2) : between(1, 6)};
    for (int d = 0; d < rank; ++d)
      sizes.push_back(config_.exact_integers ? 4 : between(3, rank == 3 ? 5 : 9));
    return Shape(std::move(sizes));
  }

  graph::ValueId pick() {
    // Mostly the newest, so that nets grow deep as well as wide.
    return chance(60) ? values_.back() : values_[random_.below(values_.size())];
  }

  Ints per_dimension(int rank, int low, int high) {
    Ints values;
    for (int d = 0; d < rank; ++d) values.push_back(between(low, high));
    return values;
  }

  void window(Attributes& attributes, int spatial, bool dilations) {
    const bool common = config_.smooth && chance(60);
    const Ints kernel = per_dimension(spatial, common ? 3 : 1, 3);
    attributes.set("kernel_shape", kernel);
    attributes.set("strides", per_dimension(spatial, 1, common ? 1 : 2));
    Ints pads;
    for (int side = 0; side < 2; ++side)
      for (const std::int64_t size : kernel) pads.push_back(between(0, static_cast<int>(size) - 1));
    attributes.set("pads", pads);
    if (dilations && !common && chance(30)) attributes.set("dilations", per_dimension(spatial, 1, 2));
  }

  Attributes conv(const Shape& shape) {
    Attributes attributes;
    Ints divisors;
    for (std::int64_t g = 1; g <= shape[1]; ++g)
      if (shape[1] % g == 0) divisors.push_back(g);
    const std::int64_t group = divisors[random_.below(divisors.size())];
    attributes.set("group", group);
    attributes.set("output_channels", group * between(1, 3));
    attributes.set("has_bias", std::int64_t{between(0, 1)});
    window(attributes, shape.rank() - 2, true);
    return attributes;
  }

  // Random attributes for the operators whose attributes matter to shapes; of the others, a sample's.
  Attributes attributes_of(const graph::LayerKind& kind, const Shape& shape) {
    Attributes attributes;
    if (kind.op == "Conv" && shape.rank() > 2) return conv(shape);
    if (kind.op == "Gemm") {
      attributes.set("output_features", std::int64_t{between(1, 8)});
      attributes.set("has_bias", std::int64_t{between(0, 1)});
    } else if (kind.op == "MaxPool" || kind.op == "AveragePool") {
      if (shape.rank() > 2) window(attributes, shape.rank() - 2, false);
      if (chance(30)) attributes.set("ceil_mode", std::int64_t{1});
      if (kind.op == "AveragePool") attributes.set("count_include_pad", std::int64_t{between(0, 1)});
    } else if (kind.op == "Concat") {
      attributes.set("axis", std::int64_t{1});
    } else if (kind.op == "Reshape") {
      attributes.set("shape", chance(50) ? Ints{0, 1, -1} : Ints{0, -1});
    } else if (kind.op != "Flatten") {
      const auto samples = kind.samples();
      attributes = samples[random_.below(samples.size())].attributes;
    }
    return attributes;
  }

  bool allowed(const graph::LayerKind& kind) const {
    if (kind.traits.is_loss) return false;
    if (config_.smooth) {
      for (const char* op : {"Conv", "Gemm", "LocallyConnected", "Tanh", "AveragePool", "Add", "Sum",
                             "Concat", "Flatten", "Reshape"})
        if (kind.op == op) return true;
      return false;
    }
    if (!config_.exact_integers) return true;
    for (const char* op : {"Conv", "Gemm", "LocallyConnected", "Relu", "MaxPool", "Add", "Sum", "Concat",
                           "Flatten", "Reshape"})
      if (kind.op == op) return true;
    return false;
  }

  void add_random_layer() {
    const auto catalog = layers::catalog();
    const graph::LayerKind& kind = chance(35) ? layers::kConv : *catalog[random_.below(catalog.size())];
    if (!allowed(kind)) return;
    std::vector<graph::ValueId> inputs = {pick()};
    int count = kind.max_inputs < 0 ? between(kind.min_inputs, 3) : between(kind.min_inputs, kind.max_inputs);
    while (--count > 0) inputs.push_back(chance(15) ? inputs[0] : pick());
    add(kind, attributes_of(kind, builder_.shape(inputs[0])), inputs);
  }

  // Adds the layer if its shape rule accepts it and the result stays small.
  std::optional<graph::ValueId> add(const graph::LayerKind& kind, const Attributes& given,
                                    const std::vector<graph::ValueId>& inputs) {
    const auto attributes = graph::complete(given, kind.attributes);
    if (!attributes) return std::nullopt;
    std::vector<Shape> shapes;
    for (const graph::ValueId v : inputs) shapes.push_back(builder_.shape(v));
    const auto signature = kind.infer(*attributes, shapes);
    if (!signature || signature->outputs.size() != 1 || signature->outputs[0].rank() < 1 ||
        signature->outputs[0][0] != shapes[0][0] || signature->outputs[0].count() > 4000)
      return std::nullopt;
    const graph::ValueId value = builder_.add(kind, base::str(kind.op, count_++), *attributes, inputs);
    for (const graph::ValueId v : inputs) std::erase(loose_, v);
    values_.push_back(value);
    loose_.push_back(value);
    return value;
  }

  void add_head() {
    std::vector<graph::ValueId> flat;
    const std::vector<graph::ValueId> ends = loose_;
    for (const graph::ValueId v : ends)
      flat.push_back(builder_.shape(v).rank() == 2 ? v : *add(layers::kFlatten, {}, {v}));
    graph::ValueId head = flat[0];
    if (flat.size() > 1) head = builder_.add(layers::kConcat, "ends", {{"axis", std::int64_t{1}}}, flat);
    if (config_.exact_integers || config_.smooth || chance(30)) return add_reconstruction(head);
    const std::int64_t classes = between(2, 5);
    const auto scores = builder_.add(layers::kGemm, "scores", {{"output_features", classes}}, {head});
    builder_.set_output(scores);
    builder_.set_loss(
        builder_.add(layers::kSoftmaxCrossEntropyLoss, "loss", {}, {scores, builder_.labels()}));
  }

  // Mean squared error against the sample itself, and a penalty of what is reconstructed from where it may be
  // neither exact nor smooth.
  void add_reconstruction(graph::ValueId head) {
    const Shape shape = builder_.shape(builder_.input());
    const auto code = builder_.add(layers::kGemm, "code", {{"output_features", shape.count_from(1)}}, {head});
    Ints sizes = {0};
    for (int d = 1; d < shape.rank(); ++d) sizes.push_back(shape[d]);
    const auto image = builder_.add(layers::kReshape, "image", {{"shape", sizes}}, {code});
    builder_.set_output(image);
    const auto error = builder_.add(layers::kMeanSquaredError, "loss", {}, {image, builder_.input()});
    if (config_.exact_integers || config_.smooth) return builder_.set_loss(error);
    const auto penalty = builder_.add(layers::kSparsityPenalty, "penalty", {}, {head});
    builder_.set_loss(builder_.add(layers::kSum, "total", {}, {error, penalty}));
  }

  const RandomGraphConfig& config_;
  base::RandomStream& random_;
  graph::GraphBuilder builder_;
  std::vector<graph::ValueId> values_, loose_;
  int count_ = 0;
};

}  // namespace

graph::Graph random_graph(const RandomGraphConfig& config, base::RandomStream& random) {
  return GraphMaker(config, random).run();
}

}  // namespace convoy::testing
