#include "convoy/tune/bandwidth.h"

#include <gtest/gtest.h>

#include "convoy/tune/probe.h"
#include "convoy/tune/processor.h"

namespace convoy::tune {
namespace {

constexpr std::int64_t kMega = std::int64_t{1} << 20;

TEST(Levels, AreWhereTheBandwidthFalls) {
  const std::vector<BandwidthSample> samples = {{2 * kMega, 90},  {4 * kMega, 100}, {8 * kMega, 80},
                                                {16 * kMega, 70}, {32 * kMega, 30}, {64 * kMega, 25}};
  const MemoryLevels levels = find_levels(samples, 0);
  EXPECT_EQ(levels.memory_bandwidth, 25);
  EXPECT_EQ(levels.cache_bytes, 16 * kMega);
  EXPECT_EQ(levels.cache_bandwidth, 90);  // the upper of the middle two
}

TEST(Levels, ReachNoFurtherThanReported) {
  const std::vector<BandwidthSample> flat = {{2 * kMega, 50}, {4 * kMega, 50}, {8 * kMega, 50}};
  EXPECT_EQ(find_levels(flat, 4 * kMega).cache_bytes, 4 * kMega);
  EXPECT_EQ(find_levels(flat, 0).cache_bytes, 8 * kMega);
  EXPECT_EQ(find_levels(flat, kMega).cache_bytes, 2 * kMega);  // the smallest that was measured
  EXPECT_EQ(find_levels({{2 * kMega, 50}}, 0).cache_bandwidth, 50);
}

TEST(Probe, MeasuresWhatAMachineCanDo) {
  const machine::Machine machine = probe_machine(1);
  EXPECT_EQ(machine.source, "measured");
  EXPECT_EQ(machine.threads, 1);
  EXPECT_GT(machine.f32_flops, 1e7);
  EXPECT_LT(machine.f32_flops, 1024e9);
  for (const double bandwidth : {machine.memory_bandwidth, machine.cache_bandwidth}) {
    EXPECT_GT(bandwidth, 1e7);
    EXPECT_LT(bandwidth, 4e12);
  }
  EXPECT_GE(machine.cache_bytes, 2 * kMega);
  EXPECT_GT(machine.dispatch_seconds, 0);
  EXPECT_LT(machine.dispatch_seconds, 0.01);
}

TEST(Processor, IsDescribedRepeatably) {
  const machine::Machine one = describe_machine(1), two = describe_machine(2);
  EXPECT_EQ(one.source, "default");
  EXPECT_DOUBLE_EQ(two.f32_flops, 2 * one.f32_flops);
  EXPECT_EQ(one.isa, isa_class());
  EXPECT_EQ(one.cpu, cpu_name());
}

}  // namespace
}  // namespace convoy::tune
