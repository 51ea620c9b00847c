// MaxPool 2x2 with stride 2 in float32 where something else than a row lies innermost: the channels of a
// pixel, or the samples of a block, which a kernel of channels cannot tell from channels. In training the tap
// that won, 0 to 3 in row-major order, is saved as a byte an output, in the outputs' order; the first of
// equal ones wins. Padding samples are zeros, and so are their maxima.
//
// Fewer channels than lanes (6 in LeNet-5): a vector then reaches into the pixels behind its own. Pixels are
// worked off in ascending order, so that what spills over is overwritten by its owner; the last pixels of a
// row, whose vectors would leave the row, go one channel at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/max_pool_innermost.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/max_pool-inl.h"
#include "hwy/highway.h"

#ifndef CONVOY_KERNELS_CPU_MAX_POOL_INNERMOST
#define CONVOY_KERNELS_CPU_MAX_POOL_INNERMOST
namespace convoy::kernels::cpu {

// One row of outputs, Q pixels of C channels, and the two rows of inputs above it.
struct PixelRow {
  std::int64_t columns = 0;  // Q
  std::int64_t channels = 0;
  std::int64_t width = 0;  // W of the inputs
};

}  // namespace convoy::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls vector(output offset, input offset) for whole vectors and element(the same) for the rest, pixels
// ascending. Offsets are of a channel in its row; the right tap lies `channels` behind the left one.
template <class Vector, class Element>
HWY_INLINE void for_each_piece(const PixelRow& row, std::int64_t lanes, const Vector& vector,
                               const Element& element) {
  const std::int64_t channels = row.channels, end = row.columns * channels;
  for (std::int64_t at = 0; at < end; at += channels) {
    if (channels >= lanes) {
      std::int64_t c = 0;
      for (; c + lanes <= channels; c += lanes) vector(at + c, 2 * at + c);
      if (c < channels) vector(at + channels - lanes, 2 * at + channels - lanes);
    } else if (at + lanes <= end) {
      vector(at, 2 * at);
    } else {
      for (std::int64_t c = 0; c < channels; ++c) element(at + c, 2 * at + c);
    }
  }
}

template <class D, bool kSave>
HWY_INLINE void pool_row(D d, const PixelRow& row, const float* x, float* y, std::uint8_t* winner) {
  const float *top = x, *bottom = x + row.width * row.channels;
  const std::int64_t right = row.channels;
  for_each_piece(
      row, static_cast<std::int64_t>(hn::Lanes(d)),
      [&](std::int64_t out, std::int64_t in) HWY_ATTR {
        const Taps<hn::Vec<D>> t{hn::LoadU(d, top + in), hn::LoadU(d, top + in + right),
                                 hn::LoadU(d, bottom + in), hn::LoadU(d, bottom + in + right)};
        if constexpr (kSave)
          store_max_and_winner(d, t, y + out, winner + out);
        else
          store_max(d, t, y + out);
      },
      [&](std::int64_t out, std::int64_t in) HWY_ATTR {
        const float taps[4] = {top[in], top[in + right], bottom[in], bottom[in + right]};
        const std::uint8_t best = winner_of(taps);
        y[out] = taps[best];
        if constexpr (kSave) winner[out] = best;
      });
}

template <class D>
HWY_INLINE void unpool_half(D d, const PixelRow& row, const float* dy, const std::uint8_t* winner,
                            std::int32_t left_tap, float* dx) {
  const std::int64_t right = row.channels;
  for_each_piece(
      row, static_cast<std::int64_t>(hn::Lanes(d)),
      [&](std::int64_t out, std::int64_t in) HWY_ATTR {
        const auto gradient = hn::LoadU(d, dy + out);
        hn::StoreU(share_of_tap(d, gradient, winner + out, left_tap), d, dx + in);
        hn::StoreU(share_of_tap(d, gradient, winner + out, left_tap + 1), d, dx + in + right);
      },
      [&](std::int64_t out, std::int64_t in) HWY_ATTR {
        dx[in] = winner[out] == left_tap ? dy[out] : 0;
        dx[in + right] = winner[out] == left_tap + 1 ? dy[out] : 0;
      });
  for (std::int64_t i = 2 * row.columns * row.channels; i < row.width * row.channels; ++i) dx[i] = 0;
}

// Runs `visit` with the narrowest vector that holds all channels, or the widest there is.
template <class Visit>
HWY_INLINE void with_vector(std::int64_t channels, const Visit& visit) {
  if (channels <= 4)
    visit(hn::CappedTag<float, 4>());
  else if (channels <= 8)
    visit(hn::CappedTag<float, 8>());
  else
    visit(hn::ScalableTag<float>());
}

void max_pool_row_training(const PixelRow& row, const float* x, float* y, std::uint8_t* winner) {
  with_vector(row.channels, [&](auto d) HWY_ATTR { pool_row<decltype(d), true>(d, row, x, y, winner); });
}

void max_pool_row_inference(const PixelRow& row, const float* x, float* y) {
  with_vector(row.channels, [&](auto d) HWY_ATTR { pool_row<decltype(d), false>(d, row, x, y, nullptr); });
}

void max_pool_row_backward(const PixelRow& row, const float* dy, const std::uint8_t* winner, float* dx) {
  with_vector(row.channels, [&](auto d) HWY_ATTR {
    unpool_half(d, row, dy, winner, 0, dx);
    unpool_half(d, row, dy, winner, 2, dx + row.width * row.channels);
  });
}

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

HWY_EXPORT(max_pool_row_training);
HWY_EXPORT(max_pool_row_inference);
HWY_EXPORT(max_pool_row_backward);

// Input elements that one thread takes at least.
constexpr std::int64_t kGrain_elements = 16384;

class MaxPoolInnermost final : public Kernel {
 public:
  explicit MaxPoolInnermost(const Problem& problem)
      : pass_(problem.pass), training_(problem.training || problem.pass != Pass::forward) {
    const tensor::Shape &x = problem.inputs[0], &y = problem.outputs[0];
    const bool by_samples = problem.family == LayoutFamily::batch_blocked;
    const std::int64_t block = family_block();
    row_ = {.columns = y[3], .channels = by_samples ? block : x[1], .width = x[3]};
    images_ = by_samples ? (x[0] + block - 1) / block * x[1] : x[0];
    rows_ = y[2];
    height_ = x[2];
    traits_.inputs = {activation_layout(x, problem.family)};
    traits_.outputs = {activation_layout(y, problem.family)};
    traits_.reads_inputs = {false};
    traits_.reads_outputs = {false};
    traits_.saved_bytes = training_ ? images_ * rows_ * row_.columns * row_.channels : 0;
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    const std::int64_t grain = std::max<std::int64_t>(1, kGrain_elements / (2 * input_row()));
    base::parallel_for(images_ * rows_, grain, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end; ++i) run_row(args, i);
    });
  }

 private:
  std::int64_t input_row() const { return row_.width * row_.channels; }

  // Row i of the outputs of all images.
  void run_row(const KernelArgs& args, std::int64_t i) const {
    const std::int64_t out = i * row_.columns * row_.channels;
    const std::int64_t in = (i / rows_ * height_ + 2 * (i % rows_)) * input_row();
    auto* winner = static_cast<std::uint8_t*>(args.saved) + (training_ ? out : 0);
    if (pass_ != Pass::forward) {
      float* dx = static_cast<float*>(args.input_gradients[0]) + in;
      HWY_DYNAMIC_DISPATCH(max_pool_row_backward)
      (row_, static_cast<const float*>(args.output_gradients[0]) + out, winner, dx);
      // The last row of an odd height lies under no window.
      if (i % rows_ == rows_ - 1 && height_ > 2 * rows_)
        std::fill_n(dx + 2 * input_row(), (height_ - 2 * rows_) * input_row(), 0.0F);
      return;
    }
    const float* x = static_cast<const float*>(args.inputs[0]) + in;
    float* y = static_cast<float*>(args.outputs[0]) + out;
    if (training_)
      HWY_DYNAMIC_DISPATCH(max_pool_row_training)(row_, x, y, winner);
    else
      HWY_DYNAMIC_DISPATCH(max_pool_row_inference)(row_, x, y);
  }

  Pass pass_;
  bool training_;
  PixelRow row_;
  std::int64_t images_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t height_ = 0;
  KernelTraits traits_;
};

base::Verdict supports(const Problem& problem) {
  if (problem.family != LayoutFamily::channels_last && problem.family != LayoutFamily::batch_blocked)
    return base::Reason{
        base::str("only channels_last and batch_blocked layouts, not ", name(problem.family))};
  return check_halving_max_pool(problem);
}

}  // namespace

KernelEntry max_pool_innermost_entry() {
  return {.name = "simd_innermost",
          .op = "MaxPool",
          .supports = supports,
          .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
            return std::make_unique<MaxPoolInnermost>(problem);
          },
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.3); },
          .error_growth = [](const Problem&) { return 0.0; }};
}

}  // namespace convoy::kernels::cpu
#endif
