#include "convoy/data/division.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace convoy::data {
namespace {

using Kind = PartRule::Kind;

// The collection's indices of a part, and how many of each class.
struct Members {
  std::set<std::int64_t> indices;
  std::map<std::int32_t, std::int64_t> labels;
};

Members members(std::span<const std::int64_t> counts, const PartRule& rule) {
  const Division division(counts, rule);
  Members found;
  for (std::int64_t i = 0; i < division.size(); ++i) {
    const Division::Place place = division.at(i);
    EXPECT_TRUE(found.indices.insert(place.index).second) << place.index << " comes twice";
    ++found.labels[place.label];
    std::int64_t first = 0;
    for (std::int32_t c = 0; c < place.label; ++c) first += counts[static_cast<std::size_t>(c)];
    EXPECT_GE(place.index, first);
    EXPECT_LT(place.index, first + counts[static_cast<std::size_t>(place.label)]);
  }
  return found;
}

TEST(Division, AllIsInOrder) {
  const std::vector<std::int64_t> counts{2, 0, 3};
  const Division division(counts, {});
  ASSERT_EQ(division.size(), 5);
  for (std::int64_t i = 0; i < 5; ++i) EXPECT_EQ(division.at(i).index, i);
  EXPECT_EQ(division.at(1).label, 0);
  EXPECT_EQ(division.at(2).label, 2);
}

TEST(Division, FoldsPartitionEveryClassEvenly) {
  const std::vector<std::int64_t> counts{120, 7, 3, 0, 1};
  for (const std::int64_t folds : {2, 5}) {
    std::set<std::int64_t> tested;
    for (std::int64_t f = 1; f <= folds; ++f) {
      const Members test = members(counts, {Kind::test, {f, folds}});
      const Members train = members(counts, {Kind::train, {f, folds}});
      EXPECT_EQ(test.labels.at(0), 120 / folds);
      EXPECT_EQ(test.indices.size() + train.indices.size(), 131u);
      for (const std::int64_t index : test.indices) {
        EXPECT_FALSE(train.indices.contains(index)) << index;
        EXPECT_TRUE(tested.insert(index).second) << index << " is in two folds";
      }
    }
    EXPECT_EQ(tested.size(), 131u);
  }
}

TEST(Division, FoldsAreShuffled) {
  const std::vector<std::int64_t> counts{1000};
  const Members test = members(counts, {Kind::test, {1, 5}});
  std::int64_t sum = 0;
  for (const std::int64_t index : test.indices) sum += index;
  EXPECT_NEAR(static_cast<double>(sum) / 200, 499.5, 75);  // the standard error is 18
  EXPECT_GT(*test.indices.rbegin(), 900);
}

TEST(Division, ShareLeavesSomeOfEachClassOnBothSides) {
  const std::vector<std::int64_t> counts{10, 2, 1, 500};
  const Members test = members(counts, {.kind = Kind::test, .test_share = 0.1});
  const Members train = members(counts, {.kind = Kind::train, .test_share = 0.1});
  EXPECT_EQ(test.labels, (std::map<std::int32_t, std::int64_t>{{0, 1}, {1, 1}, {3, 50}}));
  EXPECT_EQ(train.labels, (std::map<std::int32_t, std::int64_t>{{0, 9}, {1, 1}, {2, 1}, {3, 450}}));
  for (const std::int64_t index : test.indices) EXPECT_FALSE(train.indices.contains(index));
}

TEST(Division, FoldTexts) {
  EXPECT_EQ(*parse_fold("2/5"), (Fold{2, 5}));
  EXPECT_EQ(*parse_fold(""), Fold{});
  for (const char* text : {"0/5", "6/5", "1/1", "1", "1/", "/5", "1/5x", "a/5", "-1/5", "1/1001"})
    EXPECT_FALSE(parse_fold(text).ok()) << text;
}

}  // namespace
}  // namespace convoy::data
