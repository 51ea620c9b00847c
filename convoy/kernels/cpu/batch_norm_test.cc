#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "convoy/kernels/catalog.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/layers/catalog.h"
#include "convoy/tensor/view.h"

namespace convoy::kernels {
namespace {

TestCase batch_norm(tensor::Shape input, LayoutFamily family) {
  return {
      .kind = &layers::kBatchNormalization, .attributes = {}, .inputs = {std::move(input)}, .family = family};
}

const KernelEntry& entry() { return *find(catalog(), "BatchNormalization", "simd"); }

void expect_sound(TestCase test, int& served) {
  for (const Pass pass : {Pass::forward, Pass::backward})
    for (const Epilogue epilogue : {Epilogue::none, Epilogue::relu})
      for (const int threads : {1, 2, 3}) {
        test.pass = pass;
        test.epilogue = epilogue;
        test.threads = threads;
        ++test.seed;
        if (!entry().supports(test.problem())) continue;
        ++served;
        const auto fault = find_fault(entry(), test);
        EXPECT_FALSE(fault.has_value()) << test.str() << ": " << *fault;
      }
}

// Blocks that are not full, images that end a chunk of pixels early, and threads that share a column.
TEST(BatchNormKernel, AllShapesAndThreads) {
  on_each_instruction_set([] {
    int served = 0;
    for (const std::int64_t channels : {5, 48})
      for (const std::int64_t images : {1, 3})
        for (const std::int64_t width : {1, 43})
          for (const LayoutFamily family : {LayoutFamily::blocked, LayoutFamily::channels_last})
            expect_sound(batch_norm({images, channels, 5, width}, family), served);
    expect_sound(batch_norm({37, 32}, LayoutFamily::plain), served);
    EXPECT_GE(served, 12 * (8 + 4 + 1));
  });
}

// The mean is thousands of deviations off: squares about zero would leave nothing of the variance in float32.
TEST(BatchNormKernel, AFarMeanCostsNoVariance) {
  constexpr std::int64_t kChannels = 16, kPixels = 1000;
  const auto kernel =
      entry().make(batch_norm({1, kChannels, 1, kPixels}, LayoutFamily::channels_last).problem());
  tensor::Buffer x(kChannels * kPixels * 4), y(kChannels * kPixels * 4), params(4 * 64), state(2 * 64),
      saved(kernel->traits().saved_bytes), workspace(kernel->traits().workspace_bytes);
  auto* values = reinterpret_cast<float*>(x.data());
  // 4096 - 1/2 and 4096 + 1/2 by turns: the variance is 1/4.
  for (std::int64_t i = 0; i < kChannels * kPixels; ++i)
    values[i] = 4096 + (i / kChannels % 2 == 0 ? -0.5F : 0.5F);
  auto* old = reinterpret_cast<float*>(params.data());
  std::fill_n(old, 64, 1.0F);
  auto* next = reinterpret_cast<float*>(state.data());
  const void* inputs[] = {x.data()};
  const void* param_arrays[] = {old, old + 16, old + 32, old + 48};
  void* outputs[] = {y.data()};
  void* next_state[] = {nullptr, nullptr, next, next + 16};
  const graph::EvalContext context;
  kernel->run({.inputs = inputs,
               .params = param_arrays,
               .outputs = outputs,
               .next_state = next_state,
               .saved = saved.data(),
               .workspace = workspace.data(),
               .context = &context});
  EXPECT_FLOAT_EQ(next[0], 0.9F + 0.1F * 4096);
  EXPECT_FLOAT_EQ(next[16], 0.9F + 0.1F * 0.25F);
  // (x - mean) / sqrt(1/4 + epsilon), times 1, plus 1.
  EXPECT_NEAR(reinterpret_cast<const float*>(y.data())[0], 1 - 0.5 / std::sqrt(0.25 + 1e-5), 1e-6);
}

TEST(BatchNormKernel, RefusesWhatItCannotVectorise) {
  const auto refused = [](const TestCase& test) { return !entry().supports(test.problem()); };
  EXPECT_TRUE(refused(batch_norm({2, 16, 3, 3}, LayoutFamily::plain)));
  EXPECT_TRUE(refused(batch_norm({2, 16, 3, 3}, LayoutFamily::batch_blocked)));
  EXPECT_TRUE(refused(batch_norm({2, 17, 3, 3}, LayoutFamily::channels_last)));
  TestCase groups = batch_norm({4, 16, 3, 3}, LayoutFamily::blocked);
  groups.attributes = {{"statistics_samples", std::int64_t{2}}};
  EXPECT_TRUE(refused(groups));
}

}  // namespace
}  // namespace convoy::kernels
