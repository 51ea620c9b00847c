#include "convoy/data/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

namespace convoy::data {
namespace {

std::vector<std::int64_t> order_of(const Permutation& permutation) {
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < permutation.size(); ++i) order.push_back(permutation.at(i));
  return order;
}

bool is_bijection(std::vector<std::int64_t> order) {
  std::ranges::sort(order);
  for (std::size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<std::int64_t>(i)) return false;
  return true;
}

std::vector<std::int64_t> indices_at(const Sampler& sampler, std::int64_t step) {
  const StepSamples samples = sampler.at(step);
  std::vector<std::int64_t> indices(static_cast<std::size_t>(samples.count));
  sampler.indices(samples, indices);
  return indices;
}

TEST(Permutation, IsABijectionOfEverySize) {
  for (std::int64_t size = 1; size <= 300; ++size)
    for (std::int64_t epoch = 0; epoch < 3; ++epoch)
      ASSERT_TRUE(is_bijection(order_of(Permutation(5, epoch, size)))) << "size " << size;
  for (std::int64_t size : {1023, 1024, 1025, 10000, 60000, 65537})
    ASSERT_TRUE(is_bijection(order_of(Permutation(5, 0, size)))) << "size " << size;
}

TEST(Permutation, TheBijectionCheckFindsADuplicate) {
  std::vector<std::int64_t> order = order_of(Permutation(5, 0, 100));
  order[17] = order[18];
  EXPECT_FALSE(is_bijection(order));
}

TEST(Permutation, ServesSizesBeyondMemory) {
  const std::int64_t size = (std::int64_t{1} << 60) - 5;
  const Permutation permutation(1, 0, size);
  std::vector<std::int64_t> seen;
  for (std::int64_t i = 0; i < 1000; ++i) {
    seen.push_back(permutation.at(size - 1 - i));
    ASSERT_GE(seen.back(), 0);
    ASSERT_LT(seen.back(), size);
  }
  std::ranges::sort(seen);
  EXPECT_TRUE(std::ranges::adjacent_find(seen) == seen.end());
  EXPECT_GT(seen.back() - seen.front(), size / 2);
}

TEST(Permutation, EpochsAndSeedsDiffer) {
  const auto order = order_of(Permutation(1, 0, 1000));
  const auto agreement = [&](const std::vector<std::int64_t>& other) {
    int same = 0;
    for (std::size_t i = 0; i < order.size(); ++i) same += order[i] == other[i];
    return same;
  };
  EXPECT_EQ(agreement(order_of(Permutation(1, 0, 1000))), 1000);
  // Two independent permutations agree in one place on average (Poisson).
  EXPECT_LE(agreement(order_of(Permutation(1, 1, 1000))), 8);
  EXPECT_LE(agreement(order_of(Permutation(2, 0, 1000))), 8);
}

// Over many epochs, every element comes first, and last, equally often.
TEST(Permutation, FirstAndLastPositionsAreUniform) {
  for (std::int64_t size : {2, 3, 5, 10}) {
    constexpr int kEpochs = 20000;
    for (std::int64_t position : {std::int64_t{0}, size - 1}) {
      std::vector<int> count(static_cast<std::size_t>(size));
      for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch)
        ++count[static_cast<std::size_t>(Permutation(9, epoch, size).at(position))];
      const double expected = static_cast<double>(kEpochs) / static_cast<double>(size);
      double chi2 = 0;
      for (int c : count) chi2 += (c - expected) * (c - expected) / expected;
      EXPECT_LT(chi2, 27.9) << "size " << size << " position " << position;  // 9 degrees, p = 0.001
    }
  }
}

// All six orders of three elements, and neighbours are not kept together.
TEST(Permutation, WholeOrdersAreUniform) {
  std::map<std::vector<std::int64_t>, int> count;
  for (std::int64_t epoch = 0; epoch < 12000; ++epoch) ++count[order_of(Permutation(3, epoch, 3))];
  ASSERT_EQ(count.size(), 6u);
  double chi2 = 0;
  for (const auto& [order, c] : count) chi2 += (c - 2000.0) * (c - 2000.0) / 2000.0;
  EXPECT_LT(chi2, 20.5);  // 5 degrees of freedom, p = 0.001
}

// The order is part of the promise that a resumed run continues as the unbroken one would have.
TEST(Permutation, GoldenOrder) {
  EXPECT_EQ(order_of(Permutation(1, 0, 10)), (std::vector<std::int64_t>{7, 9, 8, 6, 5, 0, 1, 3, 4, 2}));
}

TEST(Sampler, AnEpochIsEveryExampleOnce) {
  const Sampler sampler({.size = 103, .batch_size = 10});
  EXPECT_EQ(sampler.steps_per_epoch(), 11);
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::int64_t> all;
    for (std::int64_t step = 0; step < 11; ++step) {
      const auto part = indices_at(sampler, epoch * 11 + step);
      EXPECT_EQ(part.size(), step < 10 ? 10u : 3u);
      EXPECT_EQ(sampler.at(epoch * 11 + step).epoch, epoch);
      all.insert(all.end(), part.begin(), part.end());
    }
    EXPECT_FALSE(std::ranges::is_sorted(all));
    EXPECT_TRUE(is_bijection(all));
  }
}

TEST(Sampler, DropsTheIncompleteMinibatchOnRequest) {
  const Sampler sampler({.size = 103, .batch_size = 10, .keep_last = false});
  EXPECT_EQ(sampler.steps_per_epoch(), 10);
  EXPECT_EQ(sampler.at(9).count, 10);
  EXPECT_EQ(sampler.at(10).epoch, 1);
  EXPECT_EQ(sampler.at(10).first, 0);
}

TEST(Sampler, WithoutShuffleKeepsTheOrder) {
  const Sampler sampler({.size = 7, .shuffle = false, .batch_size = 4});
  EXPECT_EQ(indices_at(sampler, 0), (std::vector<std::int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(indices_at(sampler, 3), (std::vector<std::int64_t>{4, 5, 6}));
}

TEST(Sampler, RanksTogetherSeeTheSerialMinibatch) {
  for (int world = 1; world <= 5; ++world)
    for (std::int64_t size : {1, 2, 11, 60, 61, 127})
      for (bool keep_last : {true, false}) {
        SamplerConfig config{.size = size, .seed = 4, .batch_size = 4, .keep_last = keep_last};
        config.batch_size = 4 * world;
        if (!Sampler::check(config)) continue;
        const Sampler serial(config);
        for (std::int64_t step = 0; step < 2 * serial.steps_per_epoch() + 1; ++step) {
          std::vector<std::int64_t> together;
          for (int rank = 0; rank < world; ++rank) {
            const Sampler sampler({.size = size,
                                   .seed = 4,
                                   .batch_size = 4,
                                   .rank = rank,
                                   .world_size = world,
                                   .keep_last = keep_last});
            ASSERT_EQ(sampler.steps_per_epoch(), serial.steps_per_epoch());
            const StepSamples samples = sampler.at(step);
            EXPECT_LE(samples.count, 4);
            EXPECT_EQ(samples.first_in_batch, std::ssize(together));
            EXPECT_EQ(samples.global_count, serial.at(step).count);
            const auto part = indices_at(sampler, step);
            together.insert(together.end(), part.begin(), part.end());
          }
          ASSERT_EQ(together, indices_at(serial, step)) << "world " << world << " size " << size;
        }
      }
}

TEST(Sampler, RefusesWhatItCannotServe) {
  EXPECT_FALSE(Sampler::check({.size = 0}));
  EXPECT_FALSE(Sampler::check({.size = 10, .batch_size = 0}));
  EXPECT_FALSE(Sampler::check({.size = 10, .rank = 2, .world_size = 2}));
  EXPECT_FALSE(Sampler::check({.size = 10, .rank = -1}));
  EXPECT_TRUE(Sampler::check({.size = 10, .batch_size = 11}));
  const base::Verdict verdict = Sampler::check({.size = 10, .batch_size = 11, .keep_last = false});
  ASSERT_FALSE(verdict);
  EXPECT_NE(verdict.reason().text.find("only 10"), std::string::npos);
}

}  // namespace
}  // namespace convoy::data
