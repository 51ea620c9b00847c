#include "convoy/benchkit/conv_bench.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "convoy/base/threads.h"
#include "convoy/benchkit/conv_data.h"

namespace convoy::benchkit {
namespace {

using kernels::Layout;
using kernels::Pass;

constexpr Pass kPasses[] = {Pass::forward, Pass::backward_data, Pass::backward_weights};

ConvProblem parsed(const char* text) { return ConvProblem::parse(text).value(); }

ConvBenchConfig quick() {
  ConvBenchConfig config;
  config.repetitions = 2;
  config.seconds = 0;
  return config;
}

const ConvMeasurement* row_of(const std::vector<ConvMeasurement>& rows, std::string_view name) {
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const ConvMeasurement& row) { return row.algorithm == name; });
  return found == rows.end() ? nullptr : &*found;
}

// The float64 reference rounds to float32 at its end; the samples are computed by other code.
TEST(ConvBench, SamplesAgreeWithTheLayersReference) {
  for (const char* text : {"n2c3h9w8k4r3s1p1", "n1c4h11w9k6r3q2s2x3p0x1g2", "n2c2h9k3r2s1p1x2x0x1d2x3",
                           "n1c6h7k6r3s2p1g6", "n3c5h4k2r4s1p0", "n1c2h6k4r1s3p0"})
    for (const Pass pass : kPasses) {
      ConvBenchConfig config = quick();
      config.algorithms = {"reference"};
      const auto rows = bench_conv(parsed(text), pass, config);
      ASSERT_EQ(rows.size(), 1u);
      ASSERT_TRUE(rows[0].measured()) << rows[0].refusal;
      EXPECT_LT(rows[0].relative_error, 6.1e-8) << text << " " << kernels::name(pass);
      EXPECT_GT(rows[0].relative_error, 0);
    }
}

TEST(ConvBench, EveryAlgorithmStaysWithinItsBound) {
  for (const char* text :
       {"n2c16h12k32r3s1p1", "n1c3h20k16r7s2p3", "n2c20h9w13k17r5s1p2", "n4c32h6k48r1s1p0"})
    for (const Pass pass : kPasses)
      for (const int threads : {1, 2}) {
        ConvBenchConfig config = quick();
        config.threads = threads;
        config.hopeless = 0;
        const auto rows = bench_conv(parsed(text), pass, config);
        const ConvMeasurement* library = row_of(rows, "onednn");
        ASSERT_NE(library, nullptr);
        EXPECT_TRUE(library->measured()) << library->refusal;
        EXPECT_EQ(row_of(rows, "reference"), nullptr);
        EXPECT_EQ(std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.winner; }), 1);
        for (const ConvMeasurement& row : rows) {
          if (!row.measured()) continue;
          SCOPED_TRACE(row.algorithm + " " + text + " " + std::string(kernels::name(pass)));
          EXPECT_GE(std::ssize(row.seconds), 2);
          EXPECT_GT(row.best_seconds(), 0);
          EXPECT_LE(row.best_seconds(), row.median_seconds());
          EXPECT_LE(row.share_of_bound, 1);
          EXPECT_GT(row.predicted_seconds, 0);
          EXPECT_FALSE(row.implementation.empty());
          EXPECT_EQ(row.flops, parsed(text).flops());
        }
      }
  base::set_thread_count(1);
}

TEST(ConvBench, RefusalsHaveReasons) {
  ConvBenchConfig config = quick();
  config.algorithms = {"onednn"};
  config.workspace_limit_bytes = -1;
  const auto limited = bench_conv(parsed("n1c16h8k16r3p1"), Pass::forward, config);
  ASSERT_EQ(limited.size(), 1u);
  EXPECT_NE(limited[0].refusal.find("workspace"), std::string::npos) << limited[0].refusal;
  EXPECT_FALSE(limited[0].winner);

  // 2^36 weights: 256 GiB of float32.
  config = quick();
  config.algorithms = {"reference"};
  const auto large = bench_conv(parsed("n1c262144h1k262144r1"), Pass::forward, config);
  EXPECT_NE(large[0].refusal.find("of memory"), std::string::npos) << large[0].refusal;
}

TEST(ConvBench, SupportNamesAReason) {
  for (const kernels::KernelEntry* entry : conv_entries())
    for (const char* text : {"n1c3h7k4r3s2p1d2", "n1c4h7k4r7s1p3g4"}) {
      const base::Verdict verdict = conv_support(*entry, parsed(text), Pass::backward_data);
      EXPECT_TRUE(verdict.ok() || !verdict.reason().text.empty()) << entry->name;
      EXPECT_TRUE(verdict.ok() || entry->name != "reference");
    }
}

TEST(ConvData, SeesWhatIsWrong) {
  const ConvProblem problem = parsed("n1c4h6k4r3p1");
  ConvData data(problem, Pass::forward);
  EXPECT_EQ(data.sample_count(), 4 * 6 * 6);
  std::vector<float> result(4 * 6 * 6, 0.0f);
  EXPECT_EQ(data.error(result.data(), Layout::plain()).relative, 1);
  EXPECT_GT(data.error(result.data(), Layout::plain()).epsilons, 1e6);
  result[77] = NAN;
  EXPECT_EQ(data.error(result.data(), Layout::plain()).relative, INFINITY);
  EXPECT_EQ(data.error(result.data(), Layout::plain()).epsilons, INFINITY);
}

// Many terms a result: a few results must do, and equal calls must give equal data.
TEST(ConvData, SamplesWhereAllWouldTakeLong) {
  const ConvProblem problem = parsed("n4c64h64k64r3p1");
  ConvData data(problem, Pass::backward_weights), again(problem, Pass::backward_weights);
  EXPECT_LT(data.sample_count(), 64 * 64 * 9);
  EXPECT_GE(data.sample_count(), 32);
  const Layout blocked = Layout::parse("aBcd16b", 4).value();
  const float* x = data.read(ConvArray::input, Layout::plain());
  const float* other = again.read(ConvArray::input, blocked);
  EXPECT_EQ(x[1 * 64 * 64 + 5], other[5 * 16 + 1]);  // channel 1, row 0, column 5
}

}  // namespace
}  // namespace convoy::benchkit
