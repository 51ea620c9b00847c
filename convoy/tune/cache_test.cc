#include "convoy/tune/cache.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "convoy/base/log.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/layers/catalog.h"
#include "convoy/tune/problem_text.h"

namespace convoy::tune {
namespace {

const MachineKey kMachine{.cpu = "A", .isa = "AVX3", .processors = 2, .libraries = {{"oneDNN", "2.6.3"}}};

kernels::Problem conv(std::int64_t channels, graph::Attributes attributes = {}) {
  attributes.set("output_channels", std::int64_t{4});
  attributes.set("kernel_shape", std::vector<std::int64_t>{3, 3});
  kernels::Problem problem{.kind = &layers::kConv};
  problem.attributes = graph::complete(attributes, layers::kConv.attributes).value();
  problem.inputs = {{2, channels, 8, 8}};
  graph::Signature signature = layers::kConv.infer(problem.attributes, problem.inputs).value();
  problem.params = std::move(signature.params);
  problem.outputs = std::move(signature.outputs);
  return problem;
}

// Collects warnings while it lives.
class Warnings {
 public:
  Warnings() {
    base::set_log_sink([this](base::LogLevel, const std::string& line) { lines.push_back(line); });
  }
  ~Warnings() { base::set_log_sink(nullptr); }
  std::vector<std::string> lines;
};

class CacheTest : public ::testing::Test {
 protected:
  Cache open(const MachineKey& machine = kMachine) { return Cache(path_, machine); }
  CacheContents contents() const { return parse_cache(io::read_file(path_)).value(); }

  io::TemporaryDirectory directory_;
  std::string path_ = directory_.file("convoy/tune.json");
  Warnings warnings_;
};

TEST_F(CacheTest, RemembersBetweenRuns) {
  Cache first = open();
  EXPECT_FALSE(first.seconds(conv(3), "fft", 1));
  first.put(conv(3), "fft", 1, 0.5);
  first.put({.source = "measured", .threads = 2, .f32_flops = 1e11});
  EXPECT_TRUE(first.has_news());
  first.store(false);
  EXPECT_FALSE(first.has_news());
  const Cache second = open();
  EXPECT_EQ(second.seconds(conv(3), "fft", 1), 0.5);
  EXPECT_FALSE(second.seconds(conv(3), "fft", 2));
  EXPECT_FALSE(second.seconds(conv(4), "fft", 1));
  EXPECT_FALSE(second.seconds(conv(3), "direct", 1));
  ASSERT_TRUE(second.machine(2));
  EXPECT_EQ(second.machine(2)->f32_flops, 1e11);
  EXPECT_EQ(second.machine(2)->threads, 2);
  EXPECT_EQ(second.machine(2)->source, "measured");
  EXPECT_FALSE(second.machine(1));
  EXPECT_TRUE(warnings_.lines.empty());
}

TEST_F(CacheTest, WithoutNewsNothingIsWritten) {
  open().store(true);
  EXPECT_FALSE(io::file_exists(path_));
}

TEST_F(CacheTest, WritersInTurnLoseNothing) {
  Cache a = open(), b = open();
  a.put(conv(3), "fft", 1, 0.5);
  b.put(conv(3), "direct", 1, 0.25);
  b.put(conv(5), "fft", 1, 0.125);
  a.store(false);
  b.store(false);
  EXPECT_EQ(contents().machines.at(0).seconds.size(), 3u);
  EXPECT_EQ(b.seconds(conv(3), "fft", 1), 0.5);  // from the other
}

TEST_F(CacheTest, TheFirstTimeStaysUnlessReplaced) {
  Cache a = open(), b = open(), c = open();
  a.put(conv(3), "fft", 1, 0.5);
  b.put(conv(3), "fft", 1, 0.25);
  c.put(conv(3), "fft", 1, 0.125);
  a.store(false);
  b.store(false);
  EXPECT_EQ(b.seconds(conv(3), "fft", 1), 0.5);
  c.store(true);
  EXPECT_EQ(open().seconds(conv(3), "fft", 1), 0.125);
}

// Two threads that were probed beside a busy program would make every plan take one.
TEST_F(CacheTest, ATeamSlowerThanAPartOfItCountsAsNotProbed) {
  Cache cache = open();
  const auto put = [&](int threads, double flops) {
    cache.put({.source = "measured", .threads = threads, .f32_flops = flops, .memory_bandwidth = 1e10});
  };
  put(1, 1e11);
  put(2, 9e10);
  EXPECT_TRUE(cache.machine(1).has_value());
  EXPECT_FALSE(cache.machine(2).has_value());
  put(2, 1.9e11);
  EXPECT_TRUE(cache.machine(2).has_value());
}

TEST_F(CacheTest, CeilingsRise) {
  Cache a = open(), b = open();
  a.put({.source = "measured",
         .threads = 2,
         .f32_flops = 3e11,
         .memory_bandwidth = 1e10,
         .dispatch_seconds = 2e-6});
  b.put({.source = "measured",
         .threads = 2,
         .f32_flops = 2e11,
         .memory_bandwidth = 2e10,
         .dispatch_seconds = 1e-6});
  a.store(false);
  b.store(true);
  const machine::Machine machine = open().machine(2).value();
  EXPECT_EQ(machine.f32_flops, 3e11);
  EXPECT_EQ(machine.memory_bandwidth, 2e10);
  EXPECT_EQ(machine.dispatch_seconds, 1e-6);
}

// Each in a process of its own, all at once.
TEST_F(CacheTest, WritersAtOnceLoseNothing) {
  constexpr int kWriters = 6, kTimes = 8;
  std::vector<pid_t> children;
  for (int w = 0; w < kWriters; ++w) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int i = 0; i < kTimes; ++i) {
        Cache cache(path_, kMachine);
        cache.put(conv(1 + w), "fft", 1 + i, 0.5);
        cache.store(false);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  const Cache cache = open();
  for (int w = 0; w < kWriters; ++w)
    for (int i = 0; i < kTimes; ++i)
      EXPECT_EQ(cache.seconds(conv(1 + w), "fft", 1 + i), 0.5) << w << " " << i;
  EXPECT_EQ(contents().machines.at(0).seconds.size(), std::size_t{kWriters * kTimes});
}

TEST_F(CacheTest, ACorruptFileIsIgnoredWithOneWarningAndRebuilt) {
  Cache first = open();
  first.put(conv(3), "fft", 1, 0.5);
  first.store(false);
  const std::string good = io::read_file(path_);
  for (const std::string& bad : {std::string(), std::string("\0\xff{", 3), good.substr(0, good.size() / 2),
                                 good + "x", std::string("{\"format\": 7}"), std::string("[]")}) {
    directory_.write("convoy/tune.json", bad);
    warnings_.lines.clear();
    Cache cache = open();
    ASSERT_EQ(warnings_.lines.size(), 1u) << bad;
    EXPECT_EQ(warnings_.lines[0].find("tuning cache " + path_), 0u) << warnings_.lines[0];
    EXPECT_NE(warnings_.lines[0].find("ignoring it"), std::string::npos);
    EXPECT_FALSE(cache.seconds(conv(3), "fft", 1));
    cache.put(conv(3), "direct", 1, 0.25);
    cache.store(false);
    EXPECT_EQ(warnings_.lines.size(), 1u);
    EXPECT_EQ(contents().machines.at(0).seconds.size(), 1u);
    EXPECT_EQ(open().seconds(conv(3), "direct", 1), 0.25);
    EXPECT_EQ(warnings_.lines.size(), 1u);
  }
}

TEST_F(CacheTest, AnotherMachinesTimesAreIgnoredWithOneWarningAndStay) {
  MachineKey other = kMachine;
  other.cpu = "B";
  Cache theirs = open(other);
  theirs.put(conv(3), "fft", 1, 0.5);
  theirs.store(false);
  Cache mine = open();
  ASSERT_EQ(warnings_.lines.size(), 1u);
  EXPECT_NE(warnings_.lines[0].find("another machine"), std::string::npos);
  EXPECT_FALSE(mine.seconds(conv(3), "fft", 1));
  mine.put(conv(3), "fft", 1, 0.25);
  mine.store(false);
  EXPECT_EQ(open().seconds(conv(3), "fft", 1), 0.25);
  EXPECT_EQ(open(other).seconds(conv(3), "fft", 1), 0.5);
  EXPECT_EQ(warnings_.lines.size(), 1u);
}

TEST_F(CacheTest, OtherVersionsOfThisMachineAreIgnoredAndGo) {
  MachineKey older = kMachine;
  older.libraries["oneDNN"] = "2.6.2";
  Cache before = open(older);
  before.put(conv(3), "fft", 1, 0.5);
  before.store(false);
  Cache now = open();
  EXPECT_EQ(warnings_.lines.size(), 1u);
  EXPECT_FALSE(now.seconds(conv(3), "fft", 1));
  now.put(conv(3), "fft", 1, 0.25);
  now.store(false);
  EXPECT_EQ(contents().machines.size(), 1u);
}

TEST_F(CacheTest, KeepsOnlySoManyMachines) {
  for (int i = 0; i < 20; ++i) {
    MachineKey machine = kMachine;
    machine.processors = i + 1;
    Cache cache = open(machine);
    cache.put(conv(3), "fft", 1, 0.5);
    cache.store(false);
  }
  ASSERT_EQ(contents().machines.size(), 16u);
  EXPECT_EQ(contents().machines.back().machine.processors, 20);
}

TEST_F(CacheTest, APlaceThatCannotBeWrittenIsOneWarning) {
  const std::string file = directory_.write("file", "no directory");
  Cache cache(file + "/tune.json", kMachine);
  cache.put(conv(3), "fft", 1, 0.5);
  cache.store(false);
  cache.store(false);
  ASSERT_EQ(warnings_.lines.size(), 1u);
  EXPECT_NE(warnings_.lines[0].find("not kept"), std::string::npos) << warnings_.lines[0];
  EXPECT_EQ(cache.seconds(conv(3), "fft", 1), 0.5);
}

TEST_F(CacheTest, WithoutAPathItLivesInMemory) {
  Cache cache("", kMachine);
  cache.put(conv(3), "fft", 1, 0.5);
  cache.store(false);
  EXPECT_EQ(cache.seconds(conv(3), "fft", 1), 0.5);
  EXPECT_TRUE(warnings_.lines.empty());
}

TEST(ProblemText, IsThatOfTheComputation) {
  using Ints = std::vector<std::int64_t>;
  const std::string text = problem_text(conv(3));
  EXPECT_EQ(problem_text(conv(3, {{"initialiser", std::string("glorot")}, {"bias_value", 0.5}})), text);
  EXPECT_EQ(problem_text(conv(3, {{"strides", Ints{1, 1}}, {"pads", Ints{0, 0, 0, 0}}})), text);
  EXPECT_EQ(problem_text(conv(3, {{"auto_pad", std::string("VALID")}})), text);
  EXPECT_EQ(problem_text(conv(3, {{"auto_pad", std::string("SAME_UPPER")}})),
            problem_text(conv(3, {{"pads", Ints{1, 1, 1, 1}}})));
  EXPECT_NE(problem_text(conv(3, {{"pads", Ints{1, 1, 1, 1}}})), text);
  EXPECT_NE(problem_text(conv(3, {{"has_bias", std::int64_t{0}}})), text);
  EXPECT_NE(problem_text(conv(4)), text);
  kernels::Problem problem = conv(3);
  problem.epilogue = kernels::Epilogue::relu;
  EXPECT_EQ(problem_text(problem), text);
  problem.training = false;
  EXPECT_NE(problem_text(problem), text);
  problem = conv(3);
  problem.family = kernels::LayoutFamily::blocked;
  EXPECT_NE(problem_text(problem), text);
}

}  // namespace
}  // namespace convoy::tune
