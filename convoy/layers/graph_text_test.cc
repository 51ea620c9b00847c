#include "convoy/layers/graph_text.h"

#include <gtest/gtest.h>

#include "convoy/layers/net.h"

namespace convoy::layers {
namespace {

graph::Graph branching() {
  Net net("branching", {2, 8, 8});
  net.conv("conv1", {.output_channels = 4, .kernel = 3, .pad = 1}).relu();
  const graph::ValueId trunk = net.value();
  net.conv("conv2", {.output_channels = 4, .kernel = 3, .pad = 1}).add(trunk).max_pool();
  net.flatten().gemm("output", 3).softmax_cross_entropy().class_names({"a b", "c = d", ""});
  return std::move(net).build().value();
}

TEST(GraphText, ReadsBackWhatItPrints) {
  const graph::Graph graph = branching();
  const auto parsed = parse_graph(graph.str());
  ASSERT_TRUE(parsed.ok()) << parsed.reason().text;
  EXPECT_EQ(parsed->str(), graph.str());
  EXPECT_EQ(parsed->hash(), graph.hash());
}

TEST(GraphText, EveryCutIsRefusedOrIsAnotherGraph) {
  const std::string text = branching().str();
  for (std::size_t length = 0; length < text.size(); ++length) {
    const auto parsed = parse_graph(std::string_view(text).substr(0, length));
    if (parsed.ok()) {
      EXPECT_NE(parsed->str(), text) << length;
    }
  }
}

TEST(GraphText, SaysWhatIsWrong) {
  const auto reason = [](const char* text) {
    const auto parsed = parse_graph(text);
    return parsed.ok() ? std::string("accepted") : parsed.reason().text;
  };
  EXPECT_EQ(reason(""), "model text is empty");
  EXPECT_EQ(reason("hello"), "model text, line 1: it does not begin with 'graph NAME SHAPE'");
  EXPECT_EQ(reason("graph g 1x"), "model text, line 1: '1x' is no shape");
  EXPECT_EQ(reason("graph g 4\nx = Magic{}(input)\n"),
            "model text, line 2: layer x: unknown operator 'Magic'");
  EXPECT_EQ(reason("graph g 4\nx = Relu{}(y)\n"), "model text, line 2: layer x: no value 'y' before it");
  EXPECT_EQ(reason("graph g 4\nx = Relu{\n"), "model text, line 2: layer x: its attributes do not end");
}

}  // namespace
}  // namespace convoy::layers
