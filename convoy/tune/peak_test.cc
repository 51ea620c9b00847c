#include "convoy/tune/peak.h"

#include <gtest/gtest.h>

#include "convoy/tune/processor.h"

namespace convoy::tune {
namespace {

TEST(Peak, IsWhatAProcessorCanDo) {
  const Peak peak = measure_peak(1, 5);
  EXPECT_FALSE(peak.isa.empty());
  // From a loaded 1 GHz core with 4 lanes, in a debug build too, to 8 GHz with two units of 32 lanes.
  EXPECT_GT(peak.median_flops, 1e7);
  EXPECT_LT(peak.best_flops, 1024e9);
  EXPECT_GE(peak.best_flops, peak.median_flops);
}

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// A probe that the compiler has thrown away, or vectors that went through memory, would be outside.
TEST(Peak, IsNearWhatTheWidthPromises) {
  const machine::Machine machine = describe_machine(1);
  const double lanes = machine.isa == "avx512" ? 16 : machine.isa == "avx2" ? 8 : 4;
  const Peak peak = measure_peak(1, 15);
  EXPECT_GT(peak.best_flops, 0.25e9 * lanes * 2) << peak.isa;  // less than one multiply-add in four cycles
  EXPECT_LT(peak.best_flops, 6e9 * 2 * lanes * 2) << peak.isa;
}
#endif

}  // namespace
}  // namespace convoy::tune
