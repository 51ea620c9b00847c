#include "convoy/data/synthetic_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "convoy/base/error.h"

namespace convoy::data {
namespace {

TEST(SyntheticSource, IsOneFixedBatch) {
  const SyntheticConfig config{.sample_shape = {3, 8, 8}, .classes = 4, .batch_size = 32, .seed = 7};
  const auto source = make_synthetic_source(config), again = make_synthetic_source(config);
  const tensor::Batch batch = source->batch(0);
  EXPECT_EQ(batch.inputs.shape(), (tensor::Shape{32, 3, 8, 8}));
  EXPECT_EQ(batch.size, 32);
  EXPECT_EQ(batch.global_size, 32);
  EXPECT_EQ(source->info().class_names.size(), 4u);
  EXPECT_TRUE(std::ranges::all_of(batch.labels, [](int label) { return label >= 0 && label < 4; }));
  EXPECT_NE(std::ranges::min(batch.labels), std::ranges::max(batch.labels));
  const auto values = batch.inputs.as<float>();
  EXPECT_TRUE(std::ranges::equal(values, again->batch(5).inputs.as<float>()));
  double sum = 0, squares = 0;
  for (float v : values) sum += v, squares += v * v;
  const auto n = static_cast<double>(values.size());
  EXPECT_NEAR(sum / n, 0, 0.064);  // five standard errors
  EXPECT_NEAR(squares / n, 1, 0.0903);
}

TEST(SyntheticSource, SeedsAndRanksDiffer) {
  const SyntheticConfig config{.sample_shape = {16}, .batch_size = 4, .world_size = 2};
  SyntheticConfig seed = config, rank = config;
  seed.seed = 2;
  rank.rank = 1;
  const auto base = make_synthetic_source(config);
  EXPECT_EQ(base->batch(0).global_size, 8);
  for (const SyntheticConfig& other : {seed, rank})
    EXPECT_FALSE(std::ranges::equal(base->batch(0).inputs.as<float>(),
                                    make_synthetic_source(other)->batch(0).inputs.as<float>()));
}

TEST(SyntheticSource, RefusesEmptySizes) {
  EXPECT_THROW(make_synthetic_source({.sample_shape = {3, 0, 8}}), base::UsageError);
  EXPECT_THROW(make_synthetic_source({.sample_shape = {3}, .batch_size = 0}), base::UsageError);
  EXPECT_THROW(make_synthetic_source({.sample_shape = {}}), base::UsageError);
}

}  // namespace
}  // namespace convoy::data
