#include "convoy/graph/graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "convoy/base/threads.h"

namespace convoy::graph {
namespace {

using tensor::Shape;

// Two toy kinds: graph must work without `layers`.
const AttributeSpec kScaleAttributes[] = {{"factor", 1.0}, {"units", std::int64_t{0}, true}};

base::Result<Signature> infer_scale(const Attributes& attributes, std::span<const Shape> inputs) {
  const std::int64_t units = attributes.integer("units");
  if (units < 1) return base::Reason{"units must be positive"};
  Signature signature{.outputs = {{inputs[0][0], units}}, .params = {}};
  signature.params.push_back({.name = "weight",
                              .shape = {units, inputs[0][1]},
                              .initialiser = {.rule = Initialiser::Rule::he_normal, .fan_in = inputs[0][1]}});
  signature.params.push_back({.name = "mean",
                              .shape = {units},
                              .kind = tensor::SegmentKind::state,
                              .role = tensor::ParamRole::running_mean,
                              .initialiser = {.value = 3}});
  return signature;
}
base::Result<Signature> infer_total(const Attributes&, std::span<const Shape>) {
  return Signature{.outputs = {Shape{}}, .params = {}};
}
base::Result<Signature> infer_merge(const Attributes&, std::span<const Shape> inputs) {
  return Signature{.outputs = {{inputs[0][0] * inputs[0][1]}}, .params = {}};
}

LayerKind toy(std::string_view op,
              base::Result<Signature> (*infer)(const Attributes&, std::span<const Shape>),
              std::span<const AttributeSpec> attributes = {}) {
  return {.op = op,
          .description = "toy",
          .max_inputs = 2,
          .attributes = attributes,
          .infer = infer,
          .work = nullptr,
          .forward = nullptr,
          .backward = nullptr,
          .samples = nullptr,
          .traits = {}};
}
const LayerKind kScale = toy("Scale", infer_scale, kScaleAttributes);
const LayerKind kTotal = toy("Total", infer_total);
const LayerKind kMerge = toy("Merge", infer_merge);

Attributes units(std::int64_t count) { return {{"units", count}}; }

// a -> b -> {c, loss}; c is the output.
base::Result<Graph> small_graph() {
  GraphBuilder builder("small", {5});
  const ValueId a = builder.add(kScale, "a", units(4), {builder.input()});
  const ValueId b = builder.add(kScale, "b", {{"units", std::int64_t{3}}, {"factor", std::int64_t{2}}}, {a});
  const ValueId c = builder.add(kScale, "c", units(2), {b});
  builder.set_output(c);
  builder.set_loss(builder.add(kTotal, "loss", {}, {b, b}));
  builder.set_class_names({"cat", "dog"});
  return std::move(builder).build();
}

template <class Edit>
std::string refusal(Edit&& edit) {
  GraphBuilder builder("m", {5});
  edit(builder);
  const auto graph = std::move(builder).build();
  return graph.ok() ? "accepted" : graph.reason().text;
}

TEST(Attributes, PrintAndParseBackEveryType) {
  const Attributes attributes = {{"group", std::int64_t{-3}},
                                 {"kernel_shape", std::vector<std::int64_t>{5, -1}},
                                 {"none", std::vector<std::int64_t>{}},
                                 {"one", 1.0},
                                 {"tenth", 0.1},
                                 {"tiny", -std::numeric_limits<double>::denorm_min()},
                                 {"huge", std::numeric_limits<double>::max()},
                                 {"text", std::string("a \"b\", c=[1] \\ }\n")},
                                 {"infinite", std::numeric_limits<double>::infinity()}};
  const auto parsed = Attributes::parse(attributes.str());
  ASSERT_TRUE(parsed.ok()) << parsed.reason().text;
  EXPECT_EQ(*parsed, attributes) << attributes.str();
}

TEST(Attributes, PrintInOneFixedForm) {
  EXPECT_EQ(
      (Attributes{{"mode", std::string("x")}, {"b", 2.0}, {"a", std::vector<std::int64_t>{5, 5}}}.str()),
      "{a=[5,5], b=2.0, mode=\"x\"}");
  EXPECT_EQ(Attributes{}.str(), "{}");
}

TEST(Attributes, RefuseBrokenTextWithThePosition) {
  for (const char* text :
       {"", "{", "{a}", "{a=}", "{a=1", "{a=1,}", "{a=1 b=2}", "{a=[1,}", "{a=[1.5]}", "{a=\"x}", "{a=\"x\\",
        "{a=1, a=2}", "{a=1}x", "{a=99999999999999999999}", "{a=1.5.5}", "{=1}", "{a=nonsense}"}) {
    const auto parsed = Attributes::parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_NE(parsed.reason().text.find("at character"), std::string::npos) << parsed.reason().text;
  }
}

TEST(Attributes, CompleteFillsDefaultsAndWidensIntegers) {
  const auto completed =
      complete({{"units", std::int64_t{4}}, {"factor", std::int64_t{2}}}, kScaleAttributes);
  ASSERT_TRUE(completed.ok());
  EXPECT_EQ(completed->real("factor"), 2.0);
  EXPECT_EQ(complete(units(1), kScaleAttributes)->real("factor"), 1.0);
}

TEST(Attributes, CompleteRefusesUnknownMistypedAndMissing) {
  EXPECT_EQ(complete({{"unit", std::int64_t{4}}, {"units", std::int64_t{4}}}, kScaleAttributes).reason().text,
            "unknown attribute unit; known are factor, units");
  EXPECT_EQ(complete({{"units", 4.0}}, kScaleAttributes).reason().text,
            "attribute units must be an integer, not a real");
  EXPECT_EQ(complete({}, kScaleAttributes).reason().text, "attribute units is required");
}

TEST(Graph, InfersShapesForEveryBatch) {
  const auto graph = small_graph();
  ASSERT_TRUE(graph.ok()) << graph.reason().text;
  const Shapes shapes = graph->infer(7);
  EXPECT_EQ(shapes.values[0], (Shape{7, 5}));
  EXPECT_EQ(shapes.values[static_cast<std::size_t>(graph->output())], (Shape{7, 2}));
  EXPECT_EQ(shapes.values[static_cast<std::size_t>(graph->loss())], Shape{});
  EXPECT_EQ(shapes.signatures[1].params[0].shape, (Shape{3, 4}));
}

TEST(Graph, ListsConsumersOnceForEachRead) {
  const auto graph = small_graph();
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->consumers(0), (std::vector<int>{0}));
  EXPECT_EQ(graph->consumers(graph->layers()[1].outputs[0]), (std::vector<int>{2, 3, 3}));
  EXPECT_TRUE(graph->consumers(graph->output()).empty());
}

TEST(Graph, PrintsItselfAndHashesTheText) {
  const auto graph = small_graph();
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->str(),
            "graph small 5\n"
            "a = Scale{factor=1.0, units=4}(input)\n"
            "b = Scale{factor=2.0, units=3}(a)\n"
            "c = Scale{factor=1.0, units=2}(b)\n"
            "loss = Total{}(b, b)\n"
            "output c\n"
            "loss loss\n"
            "class cat\n"
            "class dog\n");
  EXPECT_EQ(graph->hash(), small_graph()->hash());
  GraphBuilder other("small", {6});
  other.set_output(other.add(kScale, "a", units(4), {0}));
  EXPECT_NE(graph->hash(), std::move(other).build()->hash());
}

TEST(Graph, LaysParametersAndStateOutInGraphOrder) {
  const tensor::ParamLayout layout = small_graph()->param_layout(tensor::DType::f32);
  ASSERT_EQ(layout.segments.size(), 6u);
  EXPECT_EQ(layout.segments[0].name, "a.weight");
  EXPECT_EQ(layout.segments[1].name, "a.mean");
  EXPECT_EQ(layout.segments[5].kind, tensor::SegmentKind::state);
  EXPECT_EQ(layout.parameter_count, 20 + 12 + 6);
}

TEST(GraphBuilder, ReportsTheFirstMistakeWithLayerAndReason) {
  EXPECT_EQ(refusal([](GraphBuilder&) {}), "model m: no output is set");
  EXPECT_EQ(refusal([](GraphBuilder& b) { b.set_output(b.add(kScale, "x", units(0), {0})); }),
            "model m: layer x (Scale of Nx5): units must be positive");
  EXPECT_EQ(refusal([](GraphBuilder& b) { b.set_output(b.add(kScale, "x", {}, {0})); }),
            "model m: layer x (Scale of Nx5): attribute units is required");
  EXPECT_EQ(
      refusal([](GraphBuilder& b) { b.set_output(b.add(kMerge, "x", {}, {0})); }),
      "model m: layer x (Merge of Nx5): the output 10 for a batch of 2 does not keep the batch dimension");
  EXPECT_EQ(refusal([](GraphBuilder& b) {
              b.set_output(b.add(kScale, "x", units(1), {0, 0, 0}));
            }),
            "model m: layer x (Scale of Nx5, Nx5, Nx5): takes 1 to 2 inputs, not 3");
  EXPECT_EQ(refusal([](GraphBuilder& b) { b.set_output(b.add(kScale, "x", units(1), {b.labels()})); }),
            "model m: layer x (Scale of N): labels are no numbers to compute with");
  EXPECT_EQ(refusal([](GraphBuilder& b) {
              const ValueId first = b.add(kScale, "x", units(0), {0});
              b.set_output(b.add(kScale, "x", units(1), {first}));  // a second mistake behind the first
            }),
            "model m: layer x (Scale of Nx5): units must be positive");
}

TEST(GraphBuilder, RefusesBadNamesUnusedLayersAndWrongLosses) {
  for (const char* name : {"", "a b", "a=b", "x(", "\n", "input", "labels"})
    EXPECT_NE(refusal([&](GraphBuilder& b) { b.set_output(b.add(kScale, name, units(1), {0})); }), "accepted")
        << name;
  EXPECT_EQ(refusal([](GraphBuilder& b) {
              b.set_output(b.add(kScale, "x", units(1), {0}));
              b.add(kScale, "x", units(1), {0});
            }),
            "model m: layer x (Scale of Nx5): the name is taken");
  EXPECT_EQ(refusal([](GraphBuilder& b) {
              b.set_output(b.add(kScale, "x", units(1), {0}));
              b.add(kScale, "y", units(1), {0});
            }),
            "model m: layer y leads neither to the output nor to the loss");
  EXPECT_EQ(refusal([](GraphBuilder& b) {
              b.set_output(b.add(kScale, "x", units(3), {0}));
              b.set_loss(1);
            }),
            "model m: the loss has shape Nx3, not scalar");
  EXPECT_EQ(
      refusal([](GraphBuilder& b) { b.set_output(b.add(kScale, "x", units(std::int64_t{1} << 50), {0})); }),
      "model m: layer x (Scale of Nx5): the output Nx1125899906842624 is too large");
}

struct Arenas {
  Arenas(const Graph& graph, const tensor::ParamLayout& layout, std::uint64_t seed)
      : parameters(static_cast<std::size_t>(layout.parameter_extent), NAN),
        state(static_cast<std::size_t>(layout.state_extent), NAN) {
    initialise(graph, layout, seed, parameters, state);
  }
  std::vector<float> parameters, state;
};

base::Result<Graph> wide_graph() {
  GraphBuilder builder("wide", {200});
  const ValueId a = builder.add(kScale, "a", units(100), {0});
  builder.set_output(builder.add(kScale, "b", units(50), {a}));
  return std::move(builder).build();
}

TEST(Initialise, GivesTheDistributionOfItsRule) {
  const auto graph = wide_graph();
  const tensor::ParamLayout layout = graph->param_layout(tensor::DType::f32);
  const Arenas arenas(*graph, layout, 1);
  double sum = 0, squares = 0;
  for (int i = 0; i < 20'000; ++i) {
    const double w = arenas.parameters[static_cast<std::size_t>(i)];
    sum += w;
    squares += w * w;
  }
  // Variance 2/200. Five standard errors: of the mean 0.1/sqrt(20000), of the variance 0.01*sqrt(2/20000).
  EXPECT_NEAR(sum / 20'000, 0, 5 * 0.1 / std::sqrt(20'000));
  EXPECT_NEAR(squares / 20'000, 0.01, 5 * 0.01 * std::sqrt(2.0 / 20'000));
  EXPECT_EQ(arenas.state[0], 3.0f);
  for (const float value : arenas.parameters) EXPECT_FALSE(std::isnan(value));  // padding too
}

TEST(Initialise, DoesNotDependOnThreadsSlicesOrAbsentSegments) {
  const auto graph = wide_graph();
  const tensor::ParamLayout whole = graph->param_layout(tensor::DType::f32);
  base::set_thread_count(1);
  const Arenas reference(*graph, whole, 9);
  base::set_thread_count(3);
  EXPECT_EQ(Arenas(*graph, whole, 9).parameters, reference.parameters);
  base::set_thread_count(1);
  tensor::ParamLayout part;
  part.append_replicated("a.weight", {100, 200}, tensor::SegmentKind::parameter, tensor::ParamRole::weight);
  part.segments[0].slice = {{30, 50}, {20, 100}};
  part.segments[0].count = 2000;
  const Arenas sliced(*graph, part, 9);
  for (std::size_t row = 0; row < 20; ++row)
    for (std::size_t column = 0; column < 100; ++column)
      ASSERT_EQ(sliced.parameters[row * 100 + column], reference.parameters[(row + 30) * 200 + column + 50]);
  tensor::ParamLayout last;
  last.append_replicated("b.weight", {50, 100}, tensor::SegmentKind::parameter, tensor::ParamRole::weight);
  const Arenas alone(*graph, last, 9);
  for (std::size_t i = 0; i < 5000; ++i) ASSERT_EQ(alone.parameters[i], reference.parameters[20'000 + i]);
}

}  // namespace
}  // namespace convoy::graph
