// MaxPool 2x2 with stride 2 in float32 in blocks of samples: a vector holds one pixel of a block. In training
// the tap that won, 0 to 3 in row-major order, is saved as a byte an output, in the outputs' order; the first
// of equal ones wins. Padding samples are zeros, and so are their maxima.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/max_pool_batch_blocked.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/max_pool-inl.h"
#include "hwy/highway.h"

#ifndef CONVOY_KERNELS_CPU_MAX_POOL_BATCH_BLOCKED
#define CONVOY_KERNELS_CPU_MAX_POOL_BATCH_BLOCKED
namespace convoy::kernels::cpu {

// One row of outputs, Q pixels of a block of samples, and the two rows of inputs above it.
struct SampleBlockRow {
  std::int64_t columns = 0;  // Q
  std::int64_t width = 0;    // W of the inputs
};

}  // namespace convoy::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET <= HWY_AVX2  // a block is one vector there; supports() refuses other processors

using F = hn::ScalableTag<float>;
constexpr std::int64_t kBlock = HWY_TARGET <= HWY_AVX3 ? 16 : 8;

template <bool kSave>
HWY_INLINE void pool_blocks(const SampleBlockRow& row, const float* x, float* y, std::uint8_t* winner) {
  const F d;
  const float *top = x, *bottom = x + row.width * kBlock;
  for (std::int64_t q = 0; q < row.columns; ++q, top += 2 * kBlock, bottom += 2 * kBlock) {
    const Taps<hn::Vec<F>> t{hn::Load(d, top), hn::Load(d, top + kBlock), hn::Load(d, bottom),
                             hn::Load(d, bottom + kBlock)};
    if constexpr (kSave)
      store_max_and_winner(d, t, y + q * kBlock, winner + q * kBlock);
    else
      store_max(d, t, y + q * kBlock);
  }
}

void max_pool_blocks_training(const SampleBlockRow& row, const float* x, float* y, std::uint8_t* winner) {
  pool_blocks<true>(row, x, y, winner);
}

void max_pool_blocks_inference(const SampleBlockRow& row, const float* x, float* y) {
  pool_blocks<false>(row, x, y, nullptr);
}

void max_pool_blocks_backward(const SampleBlockRow& row, const float* dy, const std::uint8_t* winner,
                              float* dx) {
  const F d;
  float *top = dx, *bottom = dx + row.width * kBlock;
  for (std::int64_t q = 0; q < row.columns; ++q, top += 2 * kBlock, bottom += 2 * kBlock) {
    const auto gradient = hn::Load(d, dy + q * kBlock);
    const std::uint8_t* won = winner + q * kBlock;
    hn::Store(share_of_tap(d, gradient, won, 0), d, top);
    hn::Store(share_of_tap(d, gradient, won, 1), d, top + kBlock);
    hn::Store(share_of_tap(d, gradient, won, 2), d, bottom);
    hn::Store(share_of_tap(d, gradient, won, 3), d, bottom + kBlock);
  }
  // The last column of an odd width lies under no window.
  for (std::int64_t w = 2 * row.columns; w < row.width; ++w, top += kBlock, bottom += kBlock) {
    hn::Store(hn::Zero(d), d, top);
    hn::Store(hn::Zero(d), d, bottom);
  }
}
#else
void max_pool_blocks_training(const SampleBlockRow&, const float*, float*, std::uint8_t*) {
  HWY_ABORT("not built");
}
void max_pool_blocks_inference(const SampleBlockRow&, const float*, float*) { HWY_ABORT("not built"); }
void max_pool_blocks_backward(const SampleBlockRow&, const float*, const std::uint8_t*, float*) {
  HWY_ABORT("not built");
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "convoy/base/threads.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/halving_max_pool.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/family.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(max_pool_blocks_training);
HWY_EXPORT(max_pool_blocks_inference);
HWY_EXPORT(max_pool_blocks_backward);

// Input elements that one thread takes at least.
constexpr std::int64_t kGrain_elements = 16384;

class MaxPoolBatchBlocked final : public Kernel {
 public:
  explicit MaxPoolBatchBlocked(const Problem& problem)
      : pass_(problem.pass), training_(problem.training || problem.pass != Pass::forward) {
    const tensor::Shape &x = problem.inputs[0], &y = problem.outputs[0];
    block_ = family_block();
    row_ = {.columns = y[3], .width = x[3]};
    planes_ = (x[0] + block_ - 1) / block_ * x[1];
    rows_ = y[2];
    height_ = x[2];
    traits_.inputs = {activation_layout(x, problem.family)};
    traits_.outputs = {activation_layout(y, problem.family)};
    traits_.reads_inputs = {false};
    traits_.reads_outputs = {false};
    traits_.saved_bytes = training_ ? planes_ * rows_ * row_.columns * block_ : 0;
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    const std::int64_t grain = std::max<std::int64_t>(1, kGrain_elements / (2 * input_row()));
    base::parallel_for(planes_ * rows_, grain, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end; ++i) run_row(args, i);
    });
  }

 private:
  std::int64_t input_row() const { return row_.width * block_; }

  // Row i of the outputs of all planes.
  void run_row(const KernelArgs& args, std::int64_t i) const {
    const std::int64_t out = i * row_.columns * block_;
    const std::int64_t in = (i / rows_ * height_ + 2 * (i % rows_)) * input_row();
    auto* winner = static_cast<std::uint8_t*>(args.saved) + (training_ ? out : 0);
    if (pass_ != Pass::forward) {
      float* dx = static_cast<float*>(args.input_gradients[0]) + in;
      HWY_DYNAMIC_DISPATCH(max_pool_blocks_backward)
      (row_, static_cast<const float*>(args.output_gradients[0]) + out, winner, dx);
      // The last row of an odd height lies under no window.
      if (i % rows_ == rows_ - 1 && height_ > 2 * rows_)
        std::fill_n(dx + 2 * input_row(), (height_ - 2 * rows_) * input_row(), 0.0F);
      return;
    }
    const float* x = static_cast<const float*>(args.inputs[0]) + in;
    float* y = static_cast<float*>(args.outputs[0]) + out;
    if (training_)
      HWY_DYNAMIC_DISPATCH(max_pool_blocks_training)(row_, x, y, winner);
    else
      HWY_DYNAMIC_DISPATCH(max_pool_blocks_inference)(row_, x, y);
  }

  Pass pass_;
  bool training_;
  SampleBlockRow row_;
  std::int64_t block_ = 16;
  std::int64_t planes_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t height_ = 0;
  KernelTraits traits_;
};

base::Verdict supports(const Problem& problem) {
  if (problem.family != LayoutFamily::batch_blocked)
    return base::Reason{base::str("only batch_blocked layout, not ", name(problem.family))};
  if (simd_lanes() < 8) return base::Reason{"needs a processor with AVX2 or AVX-512"};
  return check_halving_max_pool(problem);
}

}  // namespace

KernelEntry max_pool_batch_blocked_entry() {
  return {.name = "simd_batch_blocked",
          .op = "MaxPool",
          .supports = supports,
          .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
            return std::make_unique<MaxPoolBatchBlocked>(problem);
          },
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.5); },
          .error_growth = [](const Problem&) { return 0.0; }};
}

}  // namespace convoy::kernels::cpu
#endif
