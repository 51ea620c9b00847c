// A run that was interrupted and resumed ends in the same bits as one that was not.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <set>

#include "convoy/base/rng.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"
#include "tests/support/program.h"

namespace convoy {
namespace {

using testing::ChildProcess;
using testing::ChildResult;
using testing::run_convoy;
using testing::words;

constexpr std::int64_t kStepsPerEpoch = 200;
constexpr std::int64_t kTotalSteps = 2 * kStepsPerEpoch;
constexpr int kInterruptions = 3;
constexpr const char* kTraining =
    "train --train-size 3200 --batch 16 --epochs 2 --test-size 200 --quiet --json ";

// CONVOY_TEST_SEED chooses other moments of interruption.
std::uint64_t test_seed() {
  const char* text = std::getenv("CONVOY_TEST_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

class Resume : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_.file(name); }

  testing::ChildSetup setup(const std::string& arguments) const {
    testing::ChildSetup child = testing::convoy_setup(directory_.path(), words(kTraining + arguments));
    child.niceness = 10;  // the one that interrupts it goes first
    return child;
  }

  // Trains to the end in `run`, stopped by SIGINT as soon as it has reported each of `steps`. Returns the
  // steps after which it really stopped: the signal arrives at whatever moment it does.
  std::vector<std::int64_t> train_with_interruptions(const std::string& run, const std::string& settings,
                                                     const std::vector<std::int64_t>& steps) const {
    std::vector<std::int64_t> stops;
    const std::string arguments = settings + " --resume auto --output " + run;
    for (const std::int64_t step : steps) {
      ChildProcess child(setup(arguments));
      testing::wait_for_step(child, path(run), step);
      child.send(SIGINT);
      const ChildResult result = child.wait();
      EXPECT_EQ(result.status, 75) << result.err;
      stops.push_back(io::require_int64(io::parse_json(result.out, "stdout"), "steps", "stdout"));
    }
    const ChildResult last = ChildProcess(setup(arguments)).wait();
    EXPECT_EQ(last.status, 0) << last.err;
    return stops;
  }

  // One moment in each stretch, so that the interruptions lie in both epochs and the run outlives them.
  static std::vector<std::int64_t> random_steps(std::uint64_t purpose) {
    base::RandomStream random(test_seed(), base::Purpose::test, purpose, 0);
    std::vector<std::int64_t> steps;
    for (const std::int64_t begin : {5, 90, 205})
      steps.push_back(begin + static_cast<std::int64_t>(random.below(60)));
    return steps;
  }

  void expect_same_bits(const std::string& run, const std::string& other) const {
    const auto mine = testing::checkpoints_of(path(run)), others = testing::checkpoints_of(path(other));
    ASSERT_FALSE(mine.empty());
    ASSERT_FALSE(others.empty());
    EXPECT_EQ(testing::step_of(mine.back()), kTotalSteps);
    EXPECT_EQ(testing::step_of(others.back()), kTotalSteps);
    for (const char* file : {"/weights.safetensors", "/optimizer.safetensors"})
      EXPECT_TRUE(io::read_file(mine.back() + file) == io::read_file(others.back() + file)) << file;
  }

  // Losses and rates of the steps, and the tests of the epochs: all that two equal runs share.
  static std::vector<std::string> history(const std::vector<io::Json>& rows) {
    std::vector<std::string> lines;
    for (const io::Json& row : rows) {
      io::Json kept = io::Json::object();
      for (const char* key : {"step", "epoch", "loss", "learning_rate", "test_loss", "test_accuracy"})
        if (const io::Json* value = row.find(key)) kept.set(key, *value);
      lines.push_back(kept.dump());
    }
    return lines;
  }

  void expect_interruptions_leave_no_trace(std::uint64_t purpose, const std::string& settings,
                                           const std::string& settings_of_the_broken = "") const {
    const ChildResult whole = ChildProcess(setup(settings + " --output whole")).wait();
    ASSERT_EQ(whole.status, 0) << whole.err;
    const auto stops =
        train_with_interruptions("broken", settings + " " + settings_of_the_broken, random_steps(purpose));
    ASSERT_EQ(stops.size(), std::size_t{kInterruptions});
    std::set<std::int64_t> in_mid_epoch;
    for (const std::int64_t stop : stops)
      if (stop % kStepsPerEpoch != 0) in_mid_epoch.insert(stop);
    EXPECT_EQ(in_mid_epoch.size(), std::size_t{kInterruptions})
        << "it was interrupted at other moments than planned";
    expect_same_bits("whole", "broken");
    // Each step once, in order, with the same loss as in the unbroken run.
    EXPECT_EQ(history(testing::metrics_of(path("broken"))), history(testing::metrics_of(path("whole"))));
  }

  io::TemporaryDirectory directory_;
};

TEST_F(Resume, MomentumWithAugmentation) {
  expect_interruptions_leave_no_trace(1, "--optimizer momentum --augment crop=2,rotate=10 --threads 2");
}

TEST_F(Resume, Adam) {
  expect_interruptions_leave_no_trace(2, "--optimizer adam --learning-rate 0.002 --threads 1");
}

TEST_F(Resume, LoaderThreadsDoNotMatter) {
  expect_interruptions_leave_no_trace(3, "--augment elastic=8:4 --threads 1 --loader-workers 0",
                                      "--loader-workers 3");
}

TEST_F(Resume, TheSeedMattersSoTheComparisonCanFail) {
  for (const std::string seed : {"1", "2"})
    ASSERT_EQ(ChildProcess(setup("--model linear --seed " + seed + " --output seed" + seed)).wait().status,
              0);
  const auto weights = [&](const std::string& run) {
    return io::read_file(testing::checkpoints_of(path(run)).back() + "/weights.safetensors");
  };
  EXPECT_FALSE(weights("seed1") == weights("seed2"));
}

TEST_F(Resume, AfterBeingKilledFromTheLastCheckpointOn) {
  const std::string settings = "--checkpoint-every 50 --threads 1 --output ";
  ASSERT_EQ(ChildProcess(setup(settings + "whole")).wait().status, 0);
  {
    ChildProcess child(setup(settings + "broken"));
    testing::wait_for_step(child, path("broken"), 120);
    child.send(SIGKILL);
    EXPECT_EQ(child.wait().status, 128 + SIGKILL);
  }
  const ChildResult resumed = ChildProcess(setup(settings + "broken --resume auto")).wait();
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("resumed from"), std::string::npos);
  expect_same_bits("whole", "broken");
  EXPECT_EQ(history(testing::metrics_of(path("broken"))), history(testing::metrics_of(path("whole"))));
  EXPECT_EQ(testing::leftovers(directory_.path()), std::vector<std::string>{});
}

TEST_F(Resume, AFinishedRunIsDone) {
  ASSERT_EQ(ChildProcess(setup("--model linear --output run")).wait().status, 0);
  const auto before = testing::snapshot(path("run/checkpoints"));
  const io::Json again =
      testing::json_of(ChildProcess(setup("--model linear --output run --resume auto")).wait());
  EXPECT_EQ(again.find("steps")->as_int64(), kTotalSteps);
  EXPECT_TRUE(again.find("test_accuracy")->is_number());
  const auto after = testing::snapshot(path("run/checkpoints"));
  ASSERT_EQ(after.size(), before.size());
  for (const auto& [file, sum] : before)
    if (file.ends_with(".safetensors")) {
      EXPECT_EQ(after.at(file), sum) << file;
    }
}

TEST_F(Resume, ChangedSettingsAreSaid) {
  ASSERT_EQ(ChildProcess(setup("--model linear --output run")).wait().status, 0);
  const ChildResult result =
      ChildProcess(setup("--model linear --output run --resume auto --epochs 3 --learning-rate 0.01")).wait();
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("learning_rate was 0.02 and is 0.01"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace convoy
