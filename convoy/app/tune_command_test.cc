// Tuning and forcing convolution algorithms from the command line.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>

#include "convoy/app/app.h"
#include "convoy/app/command_line.h"
#include "convoy/base/threads.h"
#include "convoy/io/file.h"
#include "convoy/io/json.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::app {
namespace {

struct Outcome {
  int status = -1;
  std::string out, err;
};

std::int64_t count(const std::string& text, const std::string& part) {
  std::int64_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// Commands with a cache of their own.
class Tune : public ::testing::Test {
 protected:
  Tune() {
    if (const char* before = std::getenv("XDG_CACHE_HOME")) before_ = before;
    setenv("XDG_CACHE_HOME", directory_.path().c_str(), 1);
  }
  ~Tune() override {
    before_.empty() ? unsetenv("XDG_CACHE_HOME") : setenv("XDG_CACHE_HOME", before_.c_str(), 1);
    base::set_thread_count(threads_);
  }

  Outcome convoy(const std::vector<std::string>& arguments, const std::string& tune = "off") const {
    std::ostringstream out, err;
    base::StopToken stop;
    Session session = {.out = out,
                       .err = err,
                       .out_terminal = {},
                       .err_terminal = {},
                       .environment = [&](const char* name) -> const char* {
                         return std::string_view(name) == "CONVOY_TUNE" ? tune.c_str() : nullptr;
                       },
                       .stop = stop};
    const int status = run(arguments, session);
    return {status, out.str(), err.str()};
  }
  io::Json json(const std::vector<std::string>& arguments, const std::string& tune = "off") const {
    const Outcome outcome = convoy(arguments, tune);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return io::parse_json(outcome.out, "stdout");
  }
  // The one line of a refusal with status 2.
  std::string mistake(const std::vector<std::string>& arguments) const {
    const Outcome outcome = convoy(arguments);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(count(outcome.err, "\n"), 1) << outcome.err;
    return outcome.err;
  }
  std::vector<std::string> train(const std::string& output) const {
    return {"train", "--model",     "lenet5",   "--train-size",
            "32",    "--test-size", "16",       "--batch",
            "16",    "--threads",   "1",        "--epochs",
            "1",     "--json",      "--output", directory_.file(output)};
  }
  std::string cache() const { return directory_.file("convoy/tune.json"); }

  io::TemporaryDirectory directory_;
  std::string before_;
  int threads_ = base::thread_count();
};

const std::vector<std::string> kTuneLenet = {"tune", "lenet5", "--batch", "2", "--threads", "1", "--json"};

TEST_F(Tune, TimesAModelOnceAndKeepsTheTimes) {
  const io::Json first = json(kTuneLenet);
  EXPECT_GT(first.find("timed")->as_int64(), 4);
  EXPECT_EQ(first.find("cache")->as_string(), cache());
  EXPECT_GE(first.find("median_prediction_error")->as_double(), 0);
  std::map<std::string, int> winners;
  for (const io::Json& row : first.find("kernels")->as_array()) {
    const std::string direction = row.find("layer")->as_string() + " " + row.find("direction")->as_string();
    winners[direction] += row.find("winner")->as_bool() ? 1 : 0;
    EXPECT_EQ(row.find("measured_seconds")->is_null(), row.find("prediction_error")->is_null());
    EXPECT_EQ(row.find("threads")->as_int64(), 1);
    const std::string& state = row.find("state")->as_string();
    EXPECT_EQ(state == "refused" || state == "skipped", !row.find("reason")->as_string().empty())
        << row.dump();
  }
  EXPECT_EQ(winners, (std::map<std::string, int>{{"conv1 forward", 1},
                                                 {"conv1 backward_weights", 1},
                                                 {"conv2 forward", 1},
                                                 {"conv2 backward_data", 1},
                                                 {"conv2 backward_weights", 1}}));
  EXPECT_EQ(json(kTuneLenet).find("timed")->as_int64(), 0);
  std::vector<std::string> again = kTuneLenet;
  again.push_back("--force");
  EXPECT_GT(json(again).find("timed")->as_int64(), 4);
}

TEST_F(Tune, PrintsATable) {
  std::vector<std::string> arguments = kTuneLenet;
  arguments.pop_back();
  const Outcome outcome = convoy(arguments);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err.find("convoy: timing kernels 1/"), 0u) << outcome.err;
  EXPECT_EQ(count(outcome.out, "fastest"), 5) << outcome.out;
  EXPECT_NE(outcome.out.find("median prediction error "), std::string::npos);
  EXPECT_NE(outcome.out.find("kept in " + cache()), std::string::npos);
}

TEST_F(Tune, TimesProblemsAndFollowsLimits) {
  const std::vector<std::string> problem = {"tune",      "--problem", "n1c16h8k16r3s1p1",
                                            "--threads", "1",         "--json"};
  const io::Json rows = *json(problem).find("kernels");
  EXPECT_GE(rows.as_array().size(), 6u);
  std::vector<std::string> forced = problem;
  forced.insert(forced.end(), {"--conv-algorithm", "*=direct"});
  const io::Json direct = json(forced);
  for (const io::Json& row : direct.find("kernels")->as_array())
    EXPECT_EQ(row.find("kernel")->as_string().find("direct"), 0u);
  EXPECT_NE(mistake({"tune", "--problem", "n1c16"}).find("--problem"), std::string::npos);
  EXPECT_NE(mistake({"tune", "--set", "lenet6"}).find("--set must be one of"), std::string::npos);
  EXPECT_NE(
      mistake({"tune", "--problem", "n1c16h8k16r5s1p2", "--conv-algorithm", "*=winograd:f4"}).find("3x3"),
      std::string::npos);
}

TEST_F(Tune, ACorruptOrForeignCacheIsOneWarningAndRebuilt) {
  json(kTuneLenet);
  const std::string good = io::read_file(cache());
  std::string foreign = good;
  foreign.replace(foreign.find("\"cpu\": \""), 8, "\"cpu\": \"Another ");
  for (const std::string& bad : {std::string("{"), foreign}) {
    directory_.write("convoy/tune.json", bad);
    const Outcome outcome = convoy(kTuneLenet);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(count(outcome.err, "warning: "), 1) << outcome.err;
    EXPECT_NE(outcome.err.find("ignoring it"), std::string::npos);
    EXPECT_GT(io::parse_json(outcome.out, "stdout").find("timed")->as_int64(), 4);
    EXPECT_EQ(count(convoy(kTuneLenet).err, "warning: "), 0);
  }
}

TEST_F(Tune, TrainingTimesAtItsFirstUseAlone) {
  EXPECT_EQ(convoy(train("untuned")).status, 0);
  EXPECT_FALSE(io::file_exists(cache()));
  const Outcome first = convoy(train("first"), "auto");
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_NE(first.err.find("convoy: timed "), std::string::npos) << first.err;
  EXPECT_NE(first.err.find("convoy: conv2 backward_data: "), std::string::npos) << first.err;
  EXPECT_NE(first.err.find(" us; slower: "), std::string::npos) << first.err;
  EXPECT_TRUE(io::file_exists(cache()));
  const Outcome second = convoy(train("second"), "auto");
  EXPECT_EQ(second.err.find("convoy: timed "), std::string::npos) << second.err;
  const auto result = [](const Outcome& outcome) {
    return io::parse_json(outcome.out, "stdout").find("test_loss")->as_double();
  };
  EXPECT_EQ(result(first), result(second));
}

// Whatever the cache says by then, a resumed run goes on with its checkpoint's plan.
TEST_F(Tune, AResumedRunKeepsItsPlan) {
  std::vector<std::string> begin = train("run");
  begin.insert(begin.end(), {"--conv-algorithm", "conv2=direct"});
  ASSERT_EQ(convoy(begin, "auto").status, 0);
  std::vector<std::string> resume = train("run");
  *(std::find(resume.begin(), resume.end(), "--epochs") + 1) = "2";
  resume.insert(resume.end(), {"--resume", "auto"});
  const Outcome outcome = convoy(resume, "force");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err.find("timed "), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("conv2 forward: direct"), std::string::npos) << outcome.err;
}

TEST_F(Tune, ImpossibleAlgorithmsAreRefusedInOneLine) {
  const auto refused = [this](const std::string& algorithm) {
    return mistake({"train", "--model", "lenet5", "--train-size", "32", "--test-size", "16", "--threads", "1",
                    "--output", directory_.file("none"), "--conv-algorithm", algorithm});
  };
  EXPECT_NE(refused("conv1=winograd:f4").find("layer conv1, forward: winograd:f4/"), std::string::npos);
  EXPECT_NE(refused("conv1=winograd:f4").find("3x3"), std::string::npos);
  EXPECT_NE(refused("conv9=fft").find("no layer 'conv9'"), std::string::npos);
  EXPECT_NE(refused("fc1=fft").find("is a Gemm"), std::string::npos);
  EXPECT_NE(refused("conv1=fast").find("no convolution algorithm 'fast'; there are: "), std::string::npos);
  EXPECT_NE(refused("conv1").find("LAYER=ALGORITHM"), std::string::npos);
  EXPECT_NE(refused("conv1=fft,conv1=direct").find("twice"), std::string::npos);
  EXPECT_FALSE(io::file_exists(directory_.file("none")));
}

TEST_F(Tune, InspectSaysWhoServesAndWhyOthersDoNot) {
  const io::Json report = json({"inspect", "lenet5", "--batch", "8", "--threads", "1", "--conv-algorithm",
                                "*=fft,conv1=auto", "--json"});
  int forced = 0;
  for (const io::Json& row : report.find("algorithms")->as_array()) {
    if (row.find("layer")->as_string() == "conv2") {
      EXPECT_EQ(row.find("kernel")->as_string().find("fft"), 0u) << row.dump();
      ++forced;
    } else {
      EXPECT_GE(row.find("others")->as_array().size(), 4u);
    }
    EXPECT_GT(row.find("seconds")->as_double(), 0);
    EXPECT_FALSE(row.find("measured")->as_bool());
  }
  EXPECT_EQ(forced, 3);
  const Outcome text = convoy({"inspect", "lenet5", "--threads", "1", "--only", "algorithms"});
  EXPECT_NE(text.out.find("conv1 forward: "), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("refused: "), std::string::npos);
  EXPECT_NE(text.out.find("layouts: plain "), std::string::npos);
}

TEST_F(Tune, EverythingRunsWithinAWorkspaceLimit) {
  for (const char* limit : {"16M", "1"}) {
    std::vector<std::string> arguments = train(std::string("limited") + limit);
    arguments.insert(arguments.end(), {"--workspace-limit", limit});
    const Outcome outcome = convoy(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
  }
  EXPECT_NE(mistake({"train", "--workspace-limit", "16Q"}).find("--workspace-limit must be"),
            std::string::npos);
  EXPECT_NE(mistake({"train", "--error-limit", "0.5"}).find("--error-limit must be 0 or at least 1"),
            std::string::npos);
  EXPECT_NE(mistake({"train", "--tune", "always"}).find("--tune must be one of auto, off, force"),
            std::string::npos);
}

TEST(CommandLines, ListsAddUp) {
  const CommandLine line = parse_command_line(
      {"train", "--conv-algorithm", "a=fft", "--conv-algorithm=b=direct,c=auto", "--kernels", "x=reference"});
  EXPECT_EQ(line.settings.at("conv_algorithm"), "a=fft,b=direct,c=auto");
  EXPECT_EQ(line.settings.at("kernels"), "x=reference");
}

}  // namespace
}  // namespace convoy::app
