#include "convoy/benchkit/conv_layers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace convoy::benchkit {
namespace {

const ConvSet& set_named(std::string_view name) {
  const ConvSet* set = find_conv_set(name);
  CONVOY_CHECK(set != nullptr, name);
  return *set;
}

int layer_count(const ConvSet& set) {
  int count = 0;
  for (const ConvLayer& layer : set.layers) count += layer.multiplicity;
  return count;
}

// Multiply-accumulates of one image, in millions.
double megamacs(const ConvSet& set) {
  double macs = 0;
  for (const ConvLayer& layer : set.layers)
    macs += layer.problem.flops() / 2e6 * layer.multiplicity / static_cast<double>(layer.problem.n);
  return macs;
}

// The number of convolutions and their work are known from the papers, and found by counting.
TEST(ConvSets, HaveTheNetworksConvolutions) {
  EXPECT_EQ(layer_count(set_named("vgg16")), 13);
  EXPECT_NEAR(megamacs(set_named("vgg16")), 15'347, 5);
  EXPECT_EQ(layer_count(set_named("googlenet")), 57);
  EXPECT_NEAR(megamacs(set_named("googlenet")), 1'582, 5);
  EXPECT_EQ(layer_count(set_named("resnet50")), 53);
  EXPECT_NEAR(megamacs(set_named("resnet50")), 4'087, 5);
  EXPECT_EQ(layer_count(set_named("alexnet")), 5);
  EXPECT_NEAR(megamacs(set_named("alexnet")), 656, 5);
  EXPECT_EQ(layer_count(set_named("lenet5")), 2);
  EXPECT_NEAR(megamacs(set_named("lenet5")), 0.358, 0.01);
  EXPECT_EQ(layer_count(set_named("convnet-benchmarks")), 5);
}

TEST(ConvSets, SweepTheKernelAlone) {
  std::vector<std::int64_t> kernels;
  for (const ConvLayer& layer : set_named("kernel-sweep").layers) {
    kernels.push_back(layer.problem.r);
    EXPECT_EQ(layer.problem.kernel_problem(kernels::Pass::forward, kernels::LayoutFamily::plain).outputs[0],
              (tensor::Shape{32, 64, 56, 56}));
  }
  EXPECT_EQ(kernels, (std::vector<std::int64_t>{3, 5, 7, 9, 11, 13, 15, 17, 21, 25, 31}));
}

TEST(ConvSets, NameEachLayerOnce) {
  std::set<std::string_view> names;
  for (const ConvSet& set : conv_sets()) {
    EXPECT_TRUE(names.insert(set.name).second) << set.name;
    EXPECT_FALSE(set.description.empty());
    std::set<std::string> layers, problems;
    for (const ConvLayer& layer : set.layers) {
      EXPECT_TRUE(layers.insert(layer.name).second) << set.name << " " << layer.name;
      EXPECT_TRUE(problems.insert(layer.problem.str()).second) << set.name << " " << layer.problem.str();
      EXPECT_TRUE(layer.problem.check().ok());
      EXPECT_LT(layer.problem.bytes(), std::int64_t{1} << 30) << set.name << " " << layer.name;
    }
  }
  EXPECT_EQ(find_conv_set("vgg19"), nullptr);
}

}  // namespace
}  // namespace convoy::benchkit
