#include "convoy/run/feed.h"

#include <gtest/gtest.h>

#include "convoy/base/error.h"
#include "convoy/run/assemble.h"

namespace convoy::run {
namespace {

RunConfig small() {
  RunConfig config;
  config.train_size = 30;
  config.test_size = 20;
  return config;
}

TEST(Feed, OpensBothSplitsInTheirSizes) {
  EXPECT_EQ(open_split(small(), data::Split::train)->info().size, 30);
  EXPECT_EQ(open_split(small(), data::Split::test)->info().size, 20);
}

// Runs of different seeds are compared on the same examples, and train on the same set in another order.
TEST(Feed, ExamplesDoNotDependOnTheSeed) {
  RunConfig other = small();
  other.seed = 77;
  for (const data::Split split : {data::Split::train, data::Split::test}) {
    const auto a = open_split(small(), split), b = open_split(other, split);
    std::vector<std::uint8_t> x(28 * 28), y(28 * 28);
    EXPECT_EQ(a->read(3, x), b->read(3, y));
    EXPECT_EQ(x, y);
  }
}

TEST(Feed, RefusesAnUnknownDataSet) {
  RunConfig config = small();
  config.data = "digitz";
  EXPECT_THROW(open_split(config, data::Split::train), base::UsageError);
}

TEST(Feed, RefusesDataThatDoNotFitTheModel) {
  const graph::Graph graph = build_configured_model(small());
  data::DatasetInfo info = open_split(small(), data::Split::test)->info();
  EXPECT_NO_THROW(check_fit(graph, info));
  info.class_names.emplace_back("one too many");
  EXPECT_THROW(check_fit(graph, info), base::UsageError);
  info = open_split(small(), data::Split::test)->info();
  info.sample_shape = {3, 28, 28};
  EXPECT_THROW(check_fit(graph, info), base::UsageError);
}

TEST(Feed, LoaderFollowsTheConfig) {
  RunConfig config = small();
  config.batch = 7;
  config.seed = 9;
  config.loader_workers = 2;
  config.augment = "crop=2,flip";
  const data::LoaderConfig loader = loader_config(config);
  EXPECT_EQ(loader.batch_size, 7);
  EXPECT_EQ(loader.seed, 9u);
  EXPECT_EQ(loader.workers, 2);
  EXPECT_EQ(data::augment_text(loader.augment), "crop=2,flip");
  config.augment = "twirl";
  EXPECT_THROW(loader_config(config), base::UsageError);
}

}  // namespace
}  // namespace convoy::run
