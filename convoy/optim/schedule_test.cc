#include "convoy/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace convoy::optim {
namespace {

Schedule parsed(std::string_view text, std::int64_t total_steps, std::int64_t steps_per_epoch = 10) {
  Schedule schedule = Schedule::parse(text, steps_per_epoch).value();
  schedule.base_rate = 0.8;
  schedule.total_steps = total_steps;
  return schedule;
}

TEST(Schedule, Constant) {
  const Schedule s = parsed("constant", 100);
  EXPECT_EQ(s.rate(0), 0.8);
  EXPECT_EQ(s.rate(99), 0.8);
}

TEST(Schedule, StepFallsAtEachPeriod) {
  const Schedule s = parsed("step:0.5@3steps", 100);
  EXPECT_EQ(s.rate(2), 0.8);
  EXPECT_DOUBLE_EQ(s.rate(3), 0.4);
  EXPECT_DOUBLE_EQ(s.rate(5), 0.4);
  EXPECT_DOUBLE_EQ(s.rate(6), 0.2);
}

TEST(Schedule, EpochsAreResolved) {
  EXPECT_EQ(parsed("step:0.5@2epochs", 100).period_steps, 20);
  EXPECT_EQ(parsed("step:0.5@2", 100).period_steps, 2);
  EXPECT_EQ(parsed("step:0.5@0.26epochs", 100).period_steps, 3);
  EXPECT_EQ(parsed("cosine+warmup:1epochs", 100).warmup_steps, 10);
}

TEST(Schedule, ExponentialReachesItsFactorAtTheEnd) {
  const Schedule s = parsed("exponential:0.0625", 100);
  EXPECT_DOUBLE_EQ(s.rate(0), 0.8);
  EXPECT_DOUBLE_EQ(s.rate(25), 0.4);
  EXPECT_DOUBLE_EQ(s.rate(50), 0.2);
  EXPECT_DOUBLE_EQ(s.rate(100), 0.05);
}

TEST(Schedule, PolynomialFallsToItsFinalRate) {
  const Schedule linear = parsed("polynomial:1", 10);
  EXPECT_DOUBLE_EQ(linear.rate(0), 0.8);
  EXPECT_DOUBLE_EQ(linear.rate(5), 0.4);
  EXPECT_DOUBLE_EQ(linear.rate(10), 0);
  const Schedule square = parsed("polynomial:2,0.4", 10);
  EXPECT_DOUBLE_EQ(square.rate(5), 0.4 + 0.4 * 0.25);
  EXPECT_DOUBLE_EQ(square.rate(10), 0.4);
}

TEST(Schedule, CosineHalvesInTheMiddle) {
  const Schedule s = parsed("cosine:0.2", 12);
  EXPECT_DOUBLE_EQ(s.rate(0), 0.8);
  EXPECT_DOUBLE_EQ(s.rate(4), 0.2 + 0.6 * 0.75);  // cos(π/3) = 1/2
  EXPECT_DOUBLE_EQ(s.rate(6), 0.5);
  EXPECT_DOUBLE_EQ(s.rate(12), 0.2);
}

TEST(Schedule, WarmUpRisesLinearlyAndTheRuleBeginsAfterIt) {
  const Schedule s = parsed("step:0.5@3+warmup:4", 100);
  EXPECT_DOUBLE_EQ(s.rate(0), 0.2);
  EXPECT_DOUBLE_EQ(s.rate(1), 0.4);
  EXPECT_DOUBLE_EQ(s.rate(3), 0.8);
  EXPECT_DOUBLE_EQ(s.rate(6), 0.8);
  EXPECT_DOUBLE_EQ(s.rate(7), 0.4);
  const Schedule linear = parsed("polynomial:1+warmup:5", 15);
  EXPECT_DOUBLE_EQ(linear.rate(5), 0.8);
  EXPECT_DOUBLE_EQ(linear.rate(10), 0.4);
}

TEST(Schedule, BeyondTheEndTheLastRateHolds) {
  EXPECT_DOUBLE_EQ(parsed("polynomial:1,0.1", 10).rate(11), 0.1);
  EXPECT_DOUBLE_EQ(parsed("cosine:0.1", 10).rate(1000), 0.1);
  EXPECT_TRUE(std::isfinite(parsed("cosine+warmup:20", 10).rate(30)));
}

TEST(Schedule, PrintsWhatItReads) {
  for (const char* text :
       {"constant", "step:0.1@50steps", "exponential:0.001", "polynomial:2", "polynomial:0.5,0.01", "cosine",
        "cosine:0.001", "constant+warmup:7steps", "step:1e-05@3steps+warmup:9steps",
        "polynomial:2,1e-06+warmup:1steps", "exponential:1e+20+warmup:2steps"}) {
    const auto schedule = Schedule::parse(text, 10);
    ASSERT_TRUE(schedule.ok()) << text << ": " << schedule.reason().text;
    EXPECT_EQ(schedule->str(), text);
  }
  EXPECT_EQ(parsed("step:0.1@5epochs+warmup:0.5epochs", 1).str(), "step:0.1@50steps+warmup:5steps");
  EXPECT_EQ(parsed("polynomial:1,0", 1).str(), "polynomial:1");
}

TEST(Schedule, RefusesAnythingElseWithThePartAtFault) {
  struct Case {
    const char* text;
    const char* part;
  };
  for (const Case& c : {Case{"", "\"\" is no schedule"},
                        Case{"linear", "\"linear\" is no schedule"},
                        Case{"constant:1", "\"1\" is an argument"},
                        Case{"step", "is no positive factor"},
                        Case{"step:0.1", "lacks @N"},
                        Case{"step:x@3", "\"x\" is no positive factor"},
                        Case{"step:0@3", "\"0\" is no positive factor"},
                        Case{"step:0.1@0", "\"0\" is no number of steps"},
                        Case{"step:0.1@2.5", "\"2.5\" is no number"},
                        Case{"step:0.1@3weeks", "\"3weeks\" is no number"},
                        Case{"step:0.1@-1epochs", "\"-1epochs\" is no number"},
                        Case{"step:0.1@0.01epochs", "at least one step"},
                        Case{"exponential:-1", "\"-1\" is no positive"},
                        Case{"exponential:nan", "\"nan\" is no positive"},
                        Case{"polynomial:1,-1", "\"-1\" is no rate"},
                        Case{"polynomial:1,", "\"\" is no rate"},
                        Case{"cosine:", "\"\" is no rate"},
                        Case{"cosine:0.1x", "\"0.1x\" is no rate"},
                        Case{"cosine+warmup:", "\"\" is no number"},
                        Case{"cosine+warmup:0", "\"0\" is no number"},
                        Case{"cosine+cooldown:3", "\"cosine+cooldown\" is no schedule"},
                        Case{"cosine+warmup:1e300", "\"1e300\" is no number"}}) {
    const auto schedule = Schedule::parse(c.text, 10);
    ASSERT_FALSE(schedule.ok()) << c.text;
    EXPECT_NE(schedule.reason().text.find(c.part), std::string::npos) << schedule.reason().text;
    EXPECT_NE(schedule.reason().text.find("write constant"), std::string::npos);
  }
}

}  // namespace
}  // namespace convoy::optim
