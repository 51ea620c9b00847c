// What the conformance suite does not see: the gradient in pieces.
#include <gtest/gtest.h>

#include <mutex>
#include <vector>

#include "convoy/base/rng.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/catalog.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/layers/catalog.h"
#include "convoy/tensor/view.h"

namespace convoy::kernels {
namespace {

// Puts the pieces together again, and counts how often each element came.
class Collector final : public GradientPieces {
 public:
  explicit Collector(std::int64_t count)
      : gradient_(static_cast<std::size_t>(count)), taken_(gradient_.size()) {}

  Arrays expect(std::int64_t offset) const noexcept override { return {gradient_.data() + offset}; }
  void take(std::int64_t offset, std::span<const float> piece) noexcept override {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const std::size_t at = static_cast<std::size_t>(offset) + i;
      gradient_[at] = piece[i];
      ++taken_[at];
    }
  }
  const std::vector<float>& gradient() const { return gradient_; }
  const std::vector<int>& taken() const { return taken_; }

 private:
  std::mutex mutex_;
  std::vector<float> gradient_;
  std::vector<int> taken_;
};

tensor::Buffer random_buffer(std::int64_t count, std::uint64_t seed) {
  tensor::Buffer buffer(std::max<std::int64_t>(count, 1) * 4);
  base::RandomStream random(seed, base::Purpose::test, 0, 0);
  for (std::int64_t i = 0; i < count; ++i)
    reinterpret_cast<float*>(buffer.data())[i] = static_cast<float>(random.normal());
  return buffer;
}

TEST(GemmBackwardWeights, PiecesAreTheArrayEachElementOnce) {
  const KernelEntry* entry = find(catalog(), "Gemm", "tiled");
  ASSERT_NE(entry, nullptr);
  const int before = base::thread_count();
  for (const auto& [n, inputs, outputs] :
       {std::array<std::int64_t, 3>{128, 784, 100}, {7, 33, 10}, {40, 16, 48}}) {
    const TestCase test{.kind = &layers::kGemm,
                        .attributes = {{"output_features", outputs}},
                        .inputs = {{n, inputs}},
                        .pass = Pass::backward_weights,
                        .family = LayoutFamily::blocked};
    const Problem problem = test.problem();
    if (const base::Verdict verdict = entry->supports(problem); !verdict)
      GTEST_SKIP() << verdict.reason().text;
    base::set_thread_count(2);
    const auto kernel = entry->make(problem);
    const std::int64_t count = kernel->traits().params[0].storage_count(problem.params[0].shape);
    tensor::Buffer x = random_buffer(n * inputs, 1), dy = random_buffer(n * outputs, 2);
    tensor::Buffer array(count * 4), bias(outputs * 4), workspace(kernel->traits().workspace_bytes);
    const void* in[] = {x.data()};
    const void* from[] = {dy.data()};
    void* written[] = {array.data(), bias.data()};
    KernelArgs args{.inputs = in, .output_gradients = from, .param_gradients = written};
    args.workspace = workspace.data();
    kernel->run(args);
    Collector collector(count);
    void* none[] = {nullptr, bias.data()};
    args.param_gradients = none;
    args.pieces = &collector;
    kernel->run(args);
    const auto* whole = reinterpret_cast<const float*>(array.data());
    EXPECT_EQ(collector.gradient(), std::vector<float>(whole, whole + count));
    EXPECT_EQ(collector.taken(), std::vector<int>(static_cast<std::size_t>(count), 1));
  }
  base::set_thread_count(before);
}

}  // namespace
}  // namespace convoy::kernels
