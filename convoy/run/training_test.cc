#include "convoy/run/training.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "convoy/base/error.h"
#include "convoy/io/file.h"
#include "convoy/io/json.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/run/model_file.h"

namespace convoy::run {
namespace {

// Ten steps an epoch of a linear classifier.
ResolvedConfig linear_run(const std::string& output) {
  RunConfig config;
  config.model = "linear";
  config.train_size = 640;
  config.test_size = 200;
  config.batch = 64;
  config.epochs = 3;
  config.threads = 1;
  config.tune = "off";
  config.output = output;
  return {.config = config, .origins = {}};
}

TrainResult train_quietly(const ResolvedConfig& resolved, const RunObserver& observer = {}) {
  base::StopToken stop;
  return train(resolved, observer, stop);
}

std::string weights(const TrainResult& result) {
  return io::read_file(io::join_path(result.checkpoint, "weights.safetensors"));
}

template <class E>
std::string refusal(const ResolvedConfig& resolved) {
  try {
    train_quietly(resolved);
  } catch (const E& error) {
    return error.what();
  }
  return "trained";
}

TEST(Training, LearnsAndLeavesARunDirectory) {
  const io::TemporaryDirectory temporary;
  std::vector<EpochReport> epochs;
  int steps = 0;
  Prelude prelude;
  const TrainResult result = train_quietly(linear_run(temporary.file("run")),
                                           {.on_start = [&](const Prelude& p) { prelude = p; },
                                            .on_step = [&](const train::StepReport&) { ++steps; },
                                            .on_epoch = [&](const EpochReport& e) { epochs.push_back(e); }});
  EXPECT_EQ(steps, 30);
  ASSERT_EQ(epochs.size(), 3u);
  EXPECT_LT(epochs[2].train_loss, 0.9 * epochs[0].train_loss);
  EXPECT_GT(result.test_accuracy, 0.4);  // ten classes; guessing gives 0.1
  EXPECT_EQ(result.test_accuracy, epochs[2].test_accuracy);
  EXPECT_EQ(result.outcome.end, train::Outcome::End::done);
  EXPECT_EQ(result.epochs, 3);
  EXPECT_EQ(prelude.parameters, 7850);
  EXPECT_EQ(prelude.total_steps, 30);
  EXPECT_EQ(prelude.first_step, 0);
  for (const char* file : {"config.toml", "env.json", "metrics.jsonl", "checkpoints/latest"})
    EXPECT_TRUE(io::file_exists(temporary.file(std::string("run/") + file))) << file;
}

TEST(Training, CountsEveryTestExampleOnce) {
  const io::TemporaryDirectory temporary;
  const TrainResult result = train_quietly(linear_run(temporary.file("run")));
  std::int64_t all = 0, right = 0;
  for (std::size_t label = 0; label < result.confusion.size(); ++label) {
    EXPECT_EQ(
        std::accumulate(result.confusion[label].begin(), result.confusion[label].end(), std::int64_t{0}), 20);
    all += 20;
    right += result.confusion[label][label];
  }
  EXPECT_EQ(all, 200);
  EXPECT_DOUBLE_EQ(static_cast<double>(right) / 200, result.test_accuracy);
}

TEST(Training, MetricsHaveARowForEveryEpoch) {
  const io::TemporaryDirectory temporary;
  train_quietly(linear_run(temporary.file("run")));
  const std::string text = io::read_file(temporary.file("run/metrics.jsonl"));
  int epoch_rows = 0, step_rows = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    const io::Json row = io::parse_json(text.substr(begin, end - begin), "metrics.jsonl");
    begin = end + 1;
    (row.find("test_loss") != nullptr ? epoch_rows : step_rows) += 1;
  }
  EXPECT_EQ(epoch_rows, 3);
  EXPECT_EQ(step_rows, 30);
}

TEST(Training, ResumedWithinAnEpochEndsWithTheSameBits) {
  const io::TemporaryDirectory temporary;
  const TrainResult whole = train_quietly(linear_run(temporary.file("whole")));
  ResolvedConfig resolved = linear_run(temporary.file("parts"));
  base::StopToken stop;
  const TrainResult first = train(resolved,
                                  {.on_step =
                                       [&](const auto& step) {
                                         if (step.step == 13) stop.request_stop(2);
                                       }},
                                  stop);
  EXPECT_EQ(first.outcome.end, train::Outcome::End::interrupted);
  EXPECT_EQ(first.outcome.steps, 13);
  resolved.config.resume = "auto";
  Prelude prelude;
  const TrainResult second = train_quietly(resolved, {.on_start = [&](const Prelude& p) { prelude = p; }});
  EXPECT_EQ(prelude.first_step, 13);
  EXPECT_TRUE(std::any_of(prelude.notes.begin(), prelude.notes.end(),
                          [](const std::string& note) { return note.starts_with("resumed from"); }));
  EXPECT_EQ(weights(second), weights(whole));
  EXPECT_EQ(second.test_loss, whole.test_loss);
}

TEST(Training, NotesWhatAResumedRunChanges) {
  const io::TemporaryDirectory temporary;
  ResolvedConfig resolved = linear_run(temporary.file("run"));
  train_quietly(resolved);
  resolved.config.resume = "auto";
  resolved.config.epochs = 4;
  resolved.config.learning_rate = 0.01;
  resolved.config.memory = 1 << 20;
  Prelude prelude;
  train_quietly(resolved, {.on_start = [&](const Prelude& p) { prelude = p; }});
  std::string notes;
  for (const std::string& note : prelude.notes) notes += note + "\n";
  EXPECT_NE(notes.find("learning_rate was 0.02 and is 0.01"), std::string::npos) << notes;
  EXPECT_NE(notes.find("epochs was 3 and is 4"), std::string::npos) << notes;
  EXPECT_NE(notes.find("made for memory 0; --replan makes one for 1M"), std::string::npos) << notes;
  EXPECT_EQ(notes.find("batch was"), std::string::npos) << notes;
  EXPECT_EQ(notes.find("made for layout"), std::string::npos) << notes;
}

TEST(Training, RefusesADirectoryThatHoldsARun) {
  const io::TemporaryDirectory temporary;
  const ResolvedConfig resolved = linear_run(temporary.file("run"));
  const TrainResult result = train_quietly(resolved);
  const std::string before = io::read_file(temporary.file("run/metrics.jsonl")), saved = weights(result);
  EXPECT_NE(refusal<base::UsageError>(resolved).find("holds a run already"), std::string::npos);
  EXPECT_EQ(io::read_file(temporary.file("run/metrics.jsonl")), before);
  EXPECT_EQ(weights(result), saved);
}

TEST(Training, RefusesAnotherSeedOrModelOnResume) {
  const io::TemporaryDirectory temporary;
  ResolvedConfig resolved = linear_run(temporary.file("run"));
  train_quietly(resolved);
  resolved.config.resume = "auto";
  resolved.config.seed = 2;
  EXPECT_NE(refusal<base::UsageError>(resolved).find("--seed 1"), std::string::npos)
      << refusal<base::UsageError>(resolved);
  resolved.config.seed = 1;
  resolved.config.model = "lenet5";
  EXPECT_NE(refusal<base::Error>(resolved), "trained");
}

TEST(Training, DivergesWithTheLastGoodCheckpointKept) {
  const io::TemporaryDirectory temporary;
  ResolvedConfig resolved = linear_run(temporary.file("run"));
  train_quietly(resolved);
  resolved.config.resume = "auto";
  resolved.config.epochs = 6;
  resolved.config.learning_rate = 1e30;
  resolved.config.schedule = "constant";
  EXPECT_NE(refusal<base::DivergedError>(resolved), "trained");
  const auto model = open_model({.path = temporary.file("run"), .threads = 1});
  EXPECT_EQ(model->manifest().step, 30);
  EXPECT_GT(model->evaluate(resolved.config, /*test_split=*/true).accuracy(), 0.4);
}

TEST(Training, OpenedModelGivesTheTestedAccuracy) {
  const io::TemporaryDirectory temporary;
  const ResolvedConfig resolved = linear_run(temporary.file("run"));
  const TrainResult result = train_quietly(resolved);
  for (const std::string& path :
       {temporary.file("run"), temporary.file("run/checkpoints"), result.checkpoint}) {
    const auto model = open_model({.path = path, .threads = 1});
    EXPECT_EQ(model->graph().name(), "linear");
    EXPECT_EQ(model->class_names().size(), 10u);
    const train::EvalResult test = model->evaluate(resolved.config, /*test_split=*/true);
    EXPECT_EQ(test.accuracy(), result.test_accuracy);
    EXPECT_EQ(test.loss, result.test_loss);
  }
}

}  // namespace
}  // namespace convoy::run
