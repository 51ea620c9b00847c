#include "convoy/benchkit/step_bench.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "convoy/base/error.h"

namespace convoy::benchkit {
namespace {

StepBenchConfig small_config() {
  StepBenchConfig config{.threads = 1};
  config.run.model = "lenet5";
  config.run.batch = 4;
  config.run.learning_rate = 0.01;
  config.run.tune = "off";
  return config;
}

TEST(StepBench, TrainsWhatItMeasures) {
  const auto bench = make_step_bench(small_config());
  const Window first = bench->measure(0);
  const Window later = bench->measure(0.2);
  ASSERT_GE(first.step_seconds.size(), 3u);
  EXPECT_GT(*std::min_element(later.step_seconds.begin(), later.step_seconds.end()), 0);
  EXPECT_GE(later.total_seconds(), 0.2);
  // One fixed batch of four is learned by heart: a bench that times no training would not show it.
  EXPECT_GT(first.last_loss, 0);
  EXPECT_LT(later.last_loss, first.last_loss);
}

TEST(StepBench, SharesAddUpAndKernelsDoMostOfALargeStep) {
  StepBenchConfig config = small_config();
  config.run.batch = 64;
  const TimeShares shares = make_step_bench(config)->profile(0.2);
  for (const double share :
       {shares.kernels, shares.convert, shares.update, shares.data, shares.interpreter}) {
    EXPECT_GE(share, 0);
    EXPECT_LE(share, 1);
  }
  EXPECT_NEAR(shares.kernels + shares.convert + shares.update + shares.data + shares.interpreter, 1, 1e-9);
  EXPECT_GT(shares.kernels, 0.3);
  EXPECT_GT(shares.update, 0);
}

// LeNet-5 has 416,520 multiply-accumulates an image forward. Backward has twice as many, less conv1's
// backward_data, which nobody needs: 25 * 6 * 28 * 28. Adding biases, maxima and the loss are counted too,
// and come to less than a tenth.
TEST(StepBench, CountsTheWorkOfAStep) {
  const StepBenchConfig config = small_config();
  const double macs = 3.0 * 416'520 - 25 * 6 * 28 * 28;
  const double flops = make_step_bench(config)->flops_per_step();
  EXPECT_GE(flops, 2 * macs * 4);
  EXPECT_LE(flops, 2 * macs * 4 * 1.1);
}

TEST(StepBench, DecayOfBiasesChangesTraining) {
  StepBenchConfig config = small_config();
  config.run.weight_decay = 0.5;
  const double without = make_step_bench(config)->measure(0).last_loss;
  EXPECT_EQ(make_step_bench(config)->measure(0).last_loss, without);
  config.decay_biases = true;
  EXPECT_NE(make_step_bench(config)->measure(0).last_loss, without);
}

TEST(StepBench, UsesNoMoreThreadsThanItMay) {
  StepBenchConfig config = small_config();
  config.run.batch = 1;
  config.threads = 2;
  EXPECT_LE(make_step_bench(config)->plan().threads, 2);
  config.threads = 1;
  EXPECT_EQ(make_step_bench(config)->plan().threads, 1);
}

TEST(StepBench, RefusesWhatThereIsNot) {
  StepBenchConfig config = small_config();
  config.run.model = "lenet6";
  EXPECT_THROW(make_step_bench(config), base::UsageError);
}

}  // namespace
}  // namespace convoy::benchkit
