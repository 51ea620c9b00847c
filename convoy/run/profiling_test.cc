#include "convoy/run/profiling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "convoy/io/temporary_directory.h"
#include "convoy/run/training.h"

namespace convoy::run {
namespace {

// Twenty steps an epoch, the last one of a smaller batch.
ResolvedConfig lenet_run(const std::string& output) {
  RunConfig config;
  config.train_size = 20 * 16 - 3;
  config.test_size = 64;
  config.batch = 16;
  config.epochs = 2;
  config.threads = 1;
  config.tune = "off";
  config.profile = true;
  config.output = output;
  return {.config = config, .origins = {}};
}

TrainResult train_quietly(const ResolvedConfig& resolved, base::StopToken& stop,
                          const RunObserver& observer = {}) {
  return train(resolved, observer, stop);
}

ProfileReport profile_of(const ResolvedConfig& resolved) {
  base::StopToken stop;
  return train_quietly(resolved, stop).profile.value();
}

std::map<std::string, int> categories(const ProfileReport& profile) {
  std::map<std::string, int> counts;
  for (const base::TraceEvent& event : profile.timeline.events) ++counts[event.category];
  return counts;
}

TEST(Profiling, ExplainsTheStep) {
  const io::TemporaryDirectory temporary;
  const ProfileReport profile = profile_of(lenet_run(temporary.file("run")));
  EXPECT_EQ(profile.first_step, 11);
  EXPECT_EQ(profile.steps, 20);
  EXPECT_GE(profile.explained_share(), 0.97);
  EXPECT_LE(profile.explained_share(), 1 + 1e-9);
  EXPECT_GT(profile.machine.f32_flops, 1e9);
  EXPECT_TRUE(std::is_sorted(
      profile.rows.begin(), profile.rows.end(),
      [](const exec::ProfileRow& a, const exec::ProfileRow& b) { return a.seconds > b.seconds; }));
  for (const exec::ProfileRow& row : profile.rows) EXPECT_GT(row.seconds, 0) << row.layer;
  ASSERT_EQ(profile.others.size(), 5u);
  for (const exec::ProfileRow& row : profile.others) EXPECT_GE(row.seconds, 0) << row.direction;
  const auto conv2 = std::find_if(profile.rows.begin(), profile.rows.end(), [](const exec::ProfileRow& row) {
    return row.layer == "conv2" && row.direction == "backward_data";
  });
  ASSERT_NE(conv2, profile.rows.end());
  // 10 x 10 outputs of 16 channels, 6 channels of 5 x 5 taps; one step in twenty has 13 images for 16.
  EXPECT_NEAR(conv2->flops, 2.0 * 100 * 16 * 150 * (19 * 16 + 13) / 20, 0.02 * conv2->flops);
}

TEST(Profiling, TheTimelineHoldsTheWindowAndWhatIsRare) {
  const io::TemporaryDirectory temporary;
  ResolvedConfig resolved = lenet_run(temporary.file("run"));
  resolved.config.profile_steps = 5;
  const ProfileReport profile = profile_of(resolved);
  EXPECT_EQ(profile.steps, 5);
  EXPECT_EQ(profile.steps_in_timeline, 5);
  std::map<std::string, int> counts = categories(profile);
  for (const char* category : {"step", "evaluate", "data", "update"}) EXPECT_EQ(counts[category], 5);
  EXPECT_EQ(counts["evaluation"], 2);
  EXPECT_EQ(counts["checkpoint"], 2);
  EXPECT_GT(counts["kernel"], 5 * 10);
  std::vector<base::TraceEvent> steps;
  for (const base::TraceEvent& event : profile.timeline.events)
    if (event.category == "step") steps.push_back(event);
  for (const base::TraceEvent& event : profile.timeline.events) {
    EXPECT_LE(event.begin, event.end) << event.name;
    if (event.category != "kernel" && event.category != "evaluate") continue;
    EXPECT_TRUE(std::any_of(steps.begin(), steps.end(), [&](const base::TraceEvent& step) {
      return step.begin <= event.begin && event.end <= step.end;
    })) << event.name;
  }
}

// A window that runs over the end of an epoch does not count its checkpoint and its evaluation.
TEST(Profiling, CheckpointsAndEvaluationsAreNoPartOfAStep) {
  const io::TemporaryDirectory temporary;
  ResolvedConfig resolved = lenet_run(temporary.file("run"));
  resolved.config.test_size = 6400;
  const ProfileReport profile = profile_of(resolved);
  double evaluation = 0;
  for (const base::TraceEvent& event : profile.timeline.events)
    if (event.category == "evaluation") evaluation = std::max(evaluation, event.seconds());
  EXPECT_GT(evaluation, 3 * profile.step_seconds) << "no test: the evaluation is too short";
  EXPECT_GE(profile.explained_share(), 0.97);
}

TEST(Profiling, ShortAndStoppedRunsGiveWhatThereIs) {
  const io::TemporaryDirectory temporary;
  ResolvedConfig resolved = lenet_run(temporary.file("one"));
  resolved.config.steps = 1;
  EXPECT_EQ(profile_of(resolved).steps, 1);
  resolved.config.output = temporary.file("six");
  resolved.config.steps = 6;
  const ProfileReport six = profile_of(resolved);
  EXPECT_EQ(six.first_step, 4);
  EXPECT_EQ(six.steps, 3);
  for (const std::int64_t stop_at : {2, 15}) {
    resolved.config.output = temporary.file("stopped" + std::to_string(stop_at));
    resolved.config.steps = 0;
    base::StopToken stop;
    const TrainResult result = train_quietly(resolved, stop, {.on_step = [&](const train::StepReport& step) {
                                               if (step.step == stop_at) stop.request_stop(1);
                                             }});
    EXPECT_EQ(result.profile->steps, stop_at == 2 ? 0 : 5);
    EXPECT_EQ(result.profile->rows.empty(), stop_at == 2);
  }
}

TEST(Profiling, ChangesNothingOfTheRun) {
  const io::TemporaryDirectory temporary;
  ResolvedConfig resolved = lenet_run(temporary.file("profiled"));
  base::StopToken stop;
  const TrainResult profiled = train_quietly(resolved, stop);
  resolved.config.profile = false;
  resolved.config.output = temporary.file("plain");
  const TrainResult plain = train_quietly(resolved, stop);
  EXPECT_FALSE(plain.profile.has_value());
  EXPECT_EQ(plain.outcome.last_loss, profiled.outcome.last_loss);
  EXPECT_EQ(plain.test_loss, profiled.test_loss);
}

}  // namespace
}  // namespace convoy::run
