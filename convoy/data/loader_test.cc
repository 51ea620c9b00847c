#include "convoy/data/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <set>
#include <thread>

#include "convoy/base/check.h"
#include "convoy/base/error.h"

namespace convoy::data {
namespace {

using namespace std::chrono_literals;

// {2, 4, 3} images whose every pixel is a hash of (index, position); can be slow, blocked or broken.
class FakeSet final : public Dataset {
 public:
  explicit FakeSet(std::int64_t size) {
    info_ = {.name = "fake",
             .sample_shape = {2, 4, 3},
             .size = size,
             .class_names = {"a", "b", "c"},
             .mean = {0.25f, 0.5f},
             .stddev = {0.5f, 0.125f},
             .notes = {}};
  }
  const DatasetInfo& info() const override { return info_; }
  std::int32_t read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
    ++reads;
    if (delay_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    if (index == broken || (index == also_broken && index >= 0))
      throw base::InputError("fake.bin", base::str("bad example ", index));
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = pixel(index, i);
    return static_cast<std::int32_t>(index % 3);
  }
  static std::uint8_t pixel(std::int64_t index, std::size_t position) {
    return static_cast<std::uint8_t>((static_cast<std::size_t>(index) * 2654435761u + position * 40503u) >>
                                     7);
  }

  std::atomic<int> delay_ms{0};
  std::atomic<std::int64_t> broken{-1}, also_broken{-1};
  mutable std::atomic<int> reads{0};

 private:
  DatasetInfo info_;
};

// A copy of a batch, to compare and to keep.
struct Copy {
  std::vector<float> inputs;
  std::vector<std::int32_t> labels;
  std::int64_t global_size = 0;
  friend bool operator==(const Copy&, const Copy&) = default;
};

Copy copy_of(const tensor::Batch& batch) {
  EXPECT_EQ(batch.inputs.shape()[0], batch.size);
  EXPECT_EQ(std::ssize(batch.labels), batch.size);
  const auto inputs = batch.inputs.as<float>();
  return {{inputs.begin(), inputs.end()}, {batch.labels.begin(), batch.labels.end()}, batch.global_size};
}

std::vector<Copy> batches(BatchSource& source, std::int64_t first, std::int64_t count) {
  std::vector<Copy> all;
  for (std::int64_t step = first; step < first + count; ++step) all.push_back(copy_of(source.batch(step)));
  return all;
}

LoaderConfig augmented_config() {
  LoaderConfig config{.batch_size = 8, .seed = 3};
  config.augment = *parse_augment("crop=1,flip,rotate=20,elastic=10:2");
  return config;
}

TEST(Loader, NormalisesEveryPixelOfTheOrder) {
  const auto set = std::make_shared<FakeSet>(10);
  const auto source = make_loader(set, {.batch_size = 4, .shuffle = false});
  EXPECT_EQ(source->steps_per_epoch(), 3);
  for (std::int64_t step = 0; step < 6; ++step) {
    const tensor::Batch batch = source->batch(step);
    ASSERT_EQ(batch.size, step % 3 == 2 ? 2 : 4);
    ASSERT_EQ(batch.global_size, batch.size);
    ASSERT_EQ(batch.inputs.shape(), (tensor::Shape{batch.size, 2, 4, 3}));
    const auto values = batch.inputs.as<float>();
    for (std::int64_t n = 0; n < batch.size; ++n) {
      const std::int64_t index = step % 3 * 4 + n;
      ASSERT_EQ(batch.labels[static_cast<std::size_t>(n)], index % 3);
      for (std::size_t i = 0; i < 24; ++i) {
        const double x = FakeSet::pixel(index, i) / 255.0;
        const double expected = i < 12 ? (x - 0.25) / 0.5 : (x - 0.5) / 0.125;
        ASSERT_EQ(values[static_cast<std::size_t>(n) * 24 + i], static_cast<float>(expected));
      }
    }
  }
}

TEST(Loader, OwnMeanAndDeviationReplaceTheDataSets) {
  const auto source = make_loader(std::make_shared<FakeSet>(4),
                                  {.batch_size = 4, .shuffle = false, .mean = {0, 0}, .stddev = {1, 1}});
  EXPECT_EQ(source->batch(0).inputs.as<float>()[13], static_cast<float>(FakeSet::pixel(0, 13) / 255.0));
}

TEST(Loader, AnyNumberOfWorkersGivesTheSameBatches) {
  const auto set = std::make_shared<FakeSet>(50);
  LoaderConfig config = augmented_config();
  config.workers = 0;
  const std::vector<Copy> expected = batches(*make_loader(set, config), 0, 30);
  for (int workers : {1, 3})
    for (int prefetch : {1, 4}) {
      config.workers = workers;
      config.prefetch_batches = prefetch;
      EXPECT_EQ(batches(*make_loader(set, config), 0, 30), expected) << workers << " " << prefetch;
    }
  config.seed = 4;
  EXPECT_NE(batches(*make_loader(set, config), 0, 30), expected);
}

TEST(Loader, EpochsAreShuffledAndAugmentedAnew) {
  const auto set = std::make_shared<FakeSet>(16);
  LoaderConfig config = augmented_config();
  config.batch_size = 16;
  const std::vector<Copy> all = batches(*make_loader(set, config), 0, 2);
  EXPECT_NE(all[0].labels, all[1].labels);
  config.shuffle = false;
  const std::vector<Copy> ordered = batches(*make_loader(set, config), 0, 2);
  EXPECT_EQ(ordered[0].labels, ordered[1].labels);
  EXPECT_NE(ordered[0].inputs, ordered[1].inputs);
}

TEST(Loader, RestartsAtAnyStep) {
  const auto set = std::make_shared<FakeSet>(50);
  LoaderConfig config = augmented_config();
  config.workers = 0;
  const std::vector<Copy> expected = batches(*make_loader(set, config), 0, 40);
  for (int workers : {0, 1, 3}) {
    config.workers = workers;
    const auto source = make_loader(set, config);
    for (std::int64_t step : {17, 18, 18, 19, 3, 4, 39, 0, 1, 2, 4, 5, 5, 4})
      ASSERT_EQ(copy_of(source->batch(step)), expected[static_cast<std::size_t>(step)])
          << workers << " workers, step " << step;
  }
}

TEST(Loader, RanksTogetherHaveTheSerialBatch) {
  const auto set = std::make_shared<FakeSet>(50);
  for (int world = 1; world <= 5; ++world) {
    LoaderConfig config = augmented_config();
    config.batch_size = 4 * world;
    const auto serial = make_loader(set, config);
    std::vector<std::unique_ptr<BatchSource>> ranks;
    config.batch_size = 4;
    config.world_size = world;
    for (config.rank = 0; config.rank < world; ++config.rank) ranks.push_back(make_loader(set, config));
    for (std::int64_t step = 0; step < 2 * serial->steps_per_epoch(); ++step) {
      Copy together;
      for (const auto& rank : ranks) {
        const Copy part = copy_of(rank->batch(step));
        together.inputs.insert(together.inputs.end(), part.inputs.begin(), part.inputs.end());
        together.labels.insert(together.labels.end(), part.labels.begin(), part.labels.end());
        together.global_size = part.global_size;
      }
      ASSERT_EQ(together, copy_of(serial->batch(step))) << "world " << world << " step " << step;
    }
  }
}

TEST(Loader, RethrowsAtTheStepThatFailsAndGoesOn) {
  for (int workers : {0, 1, 3}) {
    const auto set = std::make_shared<FakeSet>(40);
    set->broken = 21;
    const auto source = make_loader(set, {.batch_size = 8, .shuffle = false, .workers = workers});
    const Copy first = copy_of(source->batch(0));
    source->batch(1);
    for (int attempt = 0; attempt < 2; ++attempt) {
      try {
        source->batch(2);
        FAIL() << "no exception";
      } catch (const base::InputError& error) {
        EXPECT_STREQ(error.what(), "fake.bin: bad example 21");
      }
    }
    EXPECT_EQ(source->batch(3).labels[0], 24 % 3);
    EXPECT_EQ(copy_of(source->batch(0)), first);
    set->broken = -1;
    source->batch(4);  // what was prefetched before the repair goes with the restart
    EXPECT_EQ(source->batch(2).labels[5], 21 % 3);
  }
}

// Whatever the number of workers, the next example stands in for one that cannot be read.
TEST(Loader, PassesOverBadExamplesUpToItsLimit) {
  const auto set = std::make_shared<FakeSet>(20);
  set->broken = 7;
  set->also_broken = 8;
  std::vector<Copy> expected;
  for (const int workers : {0, 1, 3}) {
    LoaderConfig config{.batch_size = 8, .workers = workers, .bad = std::make_shared<BadExamples>(2)};
    const auto loader = make_loader(set, config);
    std::vector<Copy> found;
    std::vector<float> firsts;
    for (std::int64_t step = 0; step < 9; ++step) {
      found.push_back(copy_of(loader->batch(step)));
      EXPECT_EQ(found.back().labels.size(), step % 3 == 2 ? 4u : 8u);
      if (step < 3)
        for (std::size_t i = 0; i < found.back().labels.size(); ++i)
          firsts.push_back(found.back().inputs[i * 24]);
    }
    EXPECT_EQ(config.bad->count(), 2);
    // Examples 7 and 8 are gone from the epoch and 9 is there three times.
    EXPECT_EQ(firsts.size(), 20u);
    EXPECT_EQ(std::set<float>(firsts.begin(), firsts.end()).size(), 18u);
    const float ninth = (static_cast<float>(FakeSet::pixel(9, 0)) / 255 - 0.25f) / 0.5f;
    EXPECT_EQ(
        std::count_if(firsts.begin(), firsts.end(), [&](float v) { return std::abs(v - ninth) < 1e-6f; }), 3);
    if (expected.empty()) expected = found;
    EXPECT_EQ(found, expected) << workers;
  }
  LoaderConfig strict{.batch_size = 20, .bad = std::make_shared<BadExamples>(1)};
  try {
    make_loader(set, strict)->batch(0);
    FAIL();
  } catch (const base::InputError& error) {
    EXPECT_EQ(std::string(error.what()).substr(0, 22), "fake.bin: bad example ");
    EXPECT_NE(std::string(error.what()).find("; it is bad example 2, and --max-bad 1 passes over no more"),
              std::string::npos);
  }
}

TEST(EvaluationSource, LeavesBadExamplesOut) {
  const auto set = std::make_shared<FakeSet>(10);
  set->broken = 5;
  const LoaderConfig config{.batch_size = 4, .bad = std::make_shared<BadExamples>(1)};
  const auto source = make_evaluation_source(set, config);
  std::vector<std::int64_t> sizes;
  std::vector<std::int32_t> labels;
  for (std::int64_t step = 0; step < source->steps_per_epoch(); ++step) {
    const tensor::Batch batch = source->batch(step);
    EXPECT_EQ(batch.size, batch.global_size);
    EXPECT_EQ(batch.inputs.shape()[0], batch.size);
    sizes.push_back(batch.size);
    labels.insert(labels.end(), batch.labels.begin(), batch.labels.end());
  }
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{4, 3, 2}));
  EXPECT_EQ(labels, (std::vector<std::int32_t>{0, 1, 2, 0, 1, 0, 1, 2, 0}));
}

TEST(Loader, ReusesItsBuffers) {
  const auto source = make_loader(std::make_shared<FakeSet>(1000), {.batch_size = 4, .prefetch_batches = 2});
  std::map<const void*, int> seen;
  for (std::int64_t step = 0; step < 30; ++step) ++seen[source->batch(step).inputs.data()];
  EXPECT_EQ(seen.size(), 3u);
  for (const auto& [buffer, times] : seen) EXPECT_EQ(times, 10);
}

// While the caller computes, workers prepare as many batches as asked for, and not one more.
TEST(Loader, PrefetchesWithinItsBound) {
  const auto set = std::make_shared<FakeSet>(1000);
  const auto source = make_loader(set, {.batch_size = 5, .workers = 2, .prefetch_batches = 3});
  source->batch(0);
  for (int i = 0; i < 1000 && set->reads < 20; ++i) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(10ms);
  EXPECT_EQ(set->reads, 20);
}

TEST(Loader, CountsTheSecondsOfWaiting) {
  for (int workers : {0, 1}) {
    const auto set = std::make_shared<FakeSet>(100);
    set->delay_ms = 2;
    const auto source = make_loader(set, {.batch_size = 5, .workers = workers});
    EXPECT_EQ(source->wait_seconds(), 0);
    source->batch(0);
    const double first = source->wait_seconds();
    EXPECT_GE(first, 0.010);
    source->batch(1);
    EXPECT_GE(source->wait_seconds(), first);
  }
  const auto source = make_loader(std::make_shared<FakeSet>(100), {.batch_size = 5});
  source->batch(0);
  const double first = source->wait_seconds();
  std::this_thread::sleep_for(300ms);
  source->batch(1);
  EXPECT_LT(source->wait_seconds() - first, 0.25);  // the caller's own time does not count
}

TEST(Loader, StopsAtOnceAtDestruction) {
  const auto set = std::make_shared<FakeSet>(10000);
  set->delay_ms = 5;
  {
    const auto idle = make_loader(set, {.workers = 3});
    const auto source = make_loader(set, {.batch_size = 4, .workers = 3});
    source->batch(0);
    const auto blocked = make_loader(set, {.batch_size = 4, .workers = 3, .prefetch_batches = 1});
    blocked->batch(0);
    std::this_thread::sleep_for(50ms);  // its workers wait for room now
  }
  // A batch in the making is abandoned: this one would take ten seconds.
  const auto begin = std::chrono::steady_clock::now();
  {
    auto source = make_loader(set, {.batch_size = 2000, .timeout_seconds = 0.02});
    EXPECT_THROW(source->batch(0), base::Error);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

TEST(Loader, ReportsABatchThatDoesNotArrive) {
  const auto set = std::make_shared<FakeSet>(100);
  set->delay_ms = 100;
  const auto source = make_loader(set, {.batch_size = 3, .shuffle = false, .timeout_seconds = 0.05});
  try {
    source->batch(7);
    FAIL() << "no exception";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.exit_code(), base::ExitCode::failure);
    EXPECT_NE(std::string(error.what()).find("step 7"), std::string::npos);
  }
  set->delay_ms = 0;
  std::int32_t label = -1;
  for (int attempt = 0; attempt < 100 && label < 0; ++attempt) try {
      label = source->batch(7).labels[0];
    } catch (const base::Error&) {  // still in the old read
    }
  EXPECT_EQ(label, 0);
}

TEST(Loader, RefusesWhatDoesNotFitTheDataSet) {
  const auto set = std::make_shared<FakeSet>(10);
  const auto refused = [&](const LoaderConfig& config) {
    try {
      make_loader(set, config);
      return std::string();
    } catch (const base::UsageError& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(refused({}), "");
  EXPECT_NE(refused({.batch_size = 11, .keep_last = false}).find("only 10"), std::string::npos);
  EXPECT_NE(refused({.mean = {0}}).find("2 channels"), std::string::npos);
  EXPECT_NE(refused({.stddev = {1, 0}}).find("cannot normalise"), std::string::npos);
  EXPECT_NE(refused({.augment = *parse_augment("crop=3:reflect")}).find("crop=3"), std::string::npos);
  EXPECT_NE(refused({.workers = -1}), "");
  EXPECT_NE(refused({.prefetch_batches = 0}), "");
  EXPECT_NE(refused({.timeout_seconds = 0}), "");
}

TEST(EvaluationSource, IsOneOrderedPassAndCanBeRepeated) {
  const auto set = std::make_shared<FakeSet>(21);
  for (int workers : {0, 2}) {
    LoaderConfig training = augmented_config();
    training.keep_last = false;
    training.workers = workers;
    const auto source = make_evaluation_source(set, training);
    ASSERT_EQ(source->steps_per_epoch(), 3);
    const std::vector<Copy> once = batches(*source, 0, 3);
    EXPECT_EQ(once[2].labels.size(), 5u);
    std::vector<std::int32_t> labels;
    for (const Copy& copy : once) labels.insert(labels.end(), copy.labels.begin(), copy.labels.end());
    for (std::size_t i = 0; i < 21; ++i) ASSERT_EQ(labels[i], static_cast<std::int32_t>(i % 3));
    EXPECT_EQ(batches(*source, 0, 3), once);
  }
}

TEST(EvaluationSource, EndsWithItsPass) {
  LoaderConfig training;
  training.workers = 0;
  const auto source = make_evaluation_source(std::make_shared<FakeSet>(21), training);
  EXPECT_DEATH(source->batch(1), "step 1 of 1");
}

}  // namespace
}  // namespace convoy::data
