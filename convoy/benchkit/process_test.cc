#include "convoy/benchkit/process.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <memory>

#include "convoy/base/error.h"

namespace convoy::benchkit {
namespace {

TEST(ChildProcess, AnswersLineByLine) {
  ChildProcess cat({"cat"});
  cat.write_line("one");
  cat.write_line("two\nthree");
  EXPECT_EQ(cat.read_line(10), "one");
  EXPECT_EQ(cat.read_line(10), "two");
  EXPECT_EQ(cat.read_line(10), "three");
  EXPECT_EQ(cat.wait(), 0);
}

TEST(ChildProcess, ReportsHowItEnded) {
  EXPECT_EQ(ChildProcess({"sh", "-c", "exit 7"}).wait(), 7);
  EXPECT_EQ(ChildProcess({"sh", "-c", "kill -9 $$"}).wait(), 128 + 9);
}

TEST(ChildProcess, RefusesWhatCannotBeStarted) {
  EXPECT_THROW(ChildProcess({"/no/such/program"}), base::Error);
}

TEST(ChildProcess, NoticesADeadChild) {
  ChildProcess child({"sh", "-c", "exit 0"});
  EXPECT_THROW(child.read_line(10), base::Error);
  // Its end of the socket is closed by now: an error, and no SIGPIPE.
  EXPECT_THROW(
      {
        for (int i = 0; i < 1000; ++i) child.write_line("anybody there?");
      },
      base::Error);
}

TEST(ChildProcess, GivesUpWaiting) {
  ChildProcess child({"cat"});
  EXPECT_THROW(child.read_line(0.05), base::Error);
}

TEST(ChildProcess, ASecondChildDoesNotKeepTheFirstOnesInputOpen) {
  auto first = std::make_unique<ChildProcess>(std::vector<std::string>{"cat"});
  ChildProcess second({"cat"});
  EXPECT_EQ(first->wait(), 0);
}

TEST(ChildProcess, EndsAChildThatIgnoresItsInput) {
  const auto begin = std::chrono::steady_clock::now();
  { ChildProcess child({"sleep", "60"}); }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace convoy::benchkit
