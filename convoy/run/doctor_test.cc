#include "convoy/run/doctor.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "convoy/io/temporary_directory.h"

namespace convoy::run {
namespace {

// Sets a variable for one test and restores it.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    const char* before = std::getenv(name);
    was_set_ = before != nullptr;
    if (was_set_) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~ScopedVariable() { was_set_ ? setenv(name_, before_.c_str(), 1) : unsetenv(name_); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* name_;
  bool was_set_ = false;
  std::string before_;
};

Finding find(const std::string& topic) {
  for (const Finding& finding : examine_machine())
    if (finding.topic == topic) return finding;
  ADD_FAILURE() << "no finding about " << topic;
  return {};
}

TEST(Doctor, SaysSomethingAboutEveryTopicOnce) {
  std::set<std::string> topics;
  for (const Finding& finding : examine_machine()) {
    EXPECT_TRUE(topics.insert(finding.topic).second) << finding.topic;
    EXPECT_FALSE(finding.detail.empty()) << finding.topic;
    EXPECT_TRUE(finding.state == Finding::State::good || !finding.advice.empty()) << finding.topic;
  }
  for (const char* topic : {"CPU", "SIMD", "bf16", "threads", "memory", "huge pages", "oneDNN", "Highway",
                            "zlib", "liblzma", "libpng", "TurboJPEG", "libcurl", "OpenSSL", "OpenMP", "MPI",
                            "CUDA", "data directory", "cache directory"})
    EXPECT_TRUE(topics.contains(topic)) << topic;
  EXPECT_EQ(find("MPI").state, Finding::State::absent);
}

TEST(Doctor, LooksIntoTheDataDirectory) {
  const io::TemporaryDirectory directory;
  const ScopedVariable root("CONVOY_DATA_DIR", directory.path());
  EXPECT_EQ(find("data directory").state, Finding::State::problem);
  const std::string command = "mkdir " + directory.file("mnist");
  ASSERT_EQ(std::system(command.c_str()), 0);
  const Finding found = find("data directory");
  EXPECT_EQ(found.state, Finding::State::good);
  EXPECT_EQ(found.detail, directory.path() + " holds mnist");
}

TEST(Doctor, FindsAnUnusableCache) {
  const io::TemporaryDirectory directory;
  const std::string file = directory.write("file", "not a directory");
  {
    const ScopedVariable cache("XDG_CACHE_HOME", file);
    EXPECT_EQ(find("cache directory").state, Finding::State::problem);
  }
  const ScopedVariable cache("XDG_CACHE_HOME", directory.path());
  EXPECT_EQ(find("cache directory").state, Finding::State::good);
}

TEST(Doctor, DescribesTheMachineRepeatably) {
  const machine::Machine one = describe_machine(1), two = describe_machine(2);
  EXPECT_EQ(one.threads, 1);
  EXPECT_DOUBLE_EQ(two.f32_flops, 2 * one.f32_flops);
  EXPECT_EQ(one.f32_flops, describe_machine(1).f32_flops);
  EXPECT_GT(one.cache_bytes, 0);
  EXPECT_NE(one.isa, "unknown");
}

}  // namespace
}  // namespace convoy::run
