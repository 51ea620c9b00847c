// MaxPool 2x2 with stride 2 in float32 and plain layout, the window of LeNet-5 and VGG. In training the tap
// that won, 0 to 3 in row-major order, is saved as a byte an output; the first of equal ones wins.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/max_pool.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/max_pool-inl.h"
#include "hwy/highway.h"

#ifndef CONVOY_KERNELS_CPU_MAX_POOL
#define CONVOY_KERNELS_CPU_MAX_POOL
namespace convoy::kernels::cpu {

// A range of planes {H, W}, reduced to {P, Q} each.
struct Planes {
  std::int64_t count = 0;
  std::int64_t height = 0, width = 0;
  std::int64_t rows = 0, columns = 0;  // P, Q
};

}  // namespace convoy::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Vectors begin at 0, lanes, 2 lanes …; the last one ends with the row and overlaps the one before it.
// Requires a row of at least one vector.
template <class Visit>
HWY_INLINE void for_each_vector(std::int64_t columns, std::int64_t lanes, const Visit& visit) {
  std::int64_t q = 0;
  for (; q + lanes <= columns; q += lanes) visit(q);
  if (q < columns) visit(columns - lanes);
}

template <class D, bool kSave>
HWY_INLINE void pool_row(D d, const float* top, const float* bottom, float* y, std::uint8_t* winner,
                         std::int64_t columns) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for_each_vector(columns, lanes, [&](std::int64_t q) HWY_ATTR {
    Taps<hn::Vec<D>> t;
    hn::LoadInterleaved2(d, top + 2 * q, t.top_left, t.top_right);
    hn::LoadInterleaved2(d, bottom + 2 * q, t.bottom_left, t.bottom_right);
    if constexpr (kSave)
      store_max_and_winner(d, t, y + q, winner + q);
    else
      store_max(d, t, y + q);
  });
}

template <bool kSave>
void pool_row_scalar(const float* top, const float* bottom, float* y, std::uint8_t* winner,
                     std::int64_t columns) {
  for (std::int64_t q = 0; q < columns; ++q) {
    const float taps[4] = {top[2 * q], top[2 * q + 1], bottom[2 * q], bottom[2 * q + 1]};
    const std::uint8_t best = winner_of(taps);
    y[q] = taps[best];
    if constexpr (kSave) winner[q] = best;
  }
}

template <bool kSave>
HWY_INLINE void pool_planes(const Planes& p, const float* x, float* y, std::uint8_t* winner) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 8> half;
  const hn::CappedTag<float, 4> quarter;
  for (std::int64_t plane = 0; plane < p.count; ++plane, x += p.height * p.width)
    for (std::int64_t row = 0; row < p.rows; ++row, y += p.columns, winner += kSave ? p.columns : 0) {
      const float *top = x + 2 * row * p.width, *bottom = top + p.width;
      if (p.columns >= static_cast<std::int64_t>(hn::Lanes(full)))
        pool_row<decltype(full), kSave>(full, top, bottom, y, winner, p.columns);
      else if (p.columns >= static_cast<std::int64_t>(hn::Lanes(half)))
        pool_row<decltype(half), kSave>(half, top, bottom, y, winner, p.columns);
      else if (p.columns >= static_cast<std::int64_t>(hn::Lanes(quarter)))
        pool_row<decltype(quarter), kSave>(quarter, top, bottom, y, winner, p.columns);
      else
        pool_row_scalar<kSave>(top, bottom, y, winner, p.columns);
    }
}

void max_pool_training(const Planes& p, const float* x, float* y, std::uint8_t* winner) {
  pool_planes<true>(p, x, y, winner);
}

void max_pool_inference(const Planes& p, const float* x, float* y) { pool_planes<false>(p, x, y, nullptr); }

template <class D>
HWY_INLINE void unpool_row(D d, const float* dy, const std::uint8_t* winner, float* top, float* bottom,
                           std::int64_t columns) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for_each_vector(columns, lanes, [&](std::int64_t q) HWY_ATTR {
    const auto gradient = hn::LoadU(d, dy + q);
    const auto share = [&](std::int32_t r) HWY_ATTR { return share_of_tap(d, gradient, winner + q, r); };
    hn::StoreInterleaved2(share(0), share(1), d, top + 2 * q);
    hn::StoreInterleaved2(share(2), share(3), d, bottom + 2 * q);
  });
}

void unpool_row_scalar(const float* dy, const std::uint8_t* winner, float* top, float* bottom,
                       std::int64_t columns) {
  for (std::int64_t q = 0; q < columns; ++q) {
    top[2 * q] = winner[q] == 0 ? dy[q] : 0;
    top[2 * q + 1] = winner[q] == 1 ? dy[q] : 0;
    bottom[2 * q] = winner[q] == 2 ? dy[q] : 0;
    bottom[2 * q + 1] = winner[q] == 3 ? dy[q] : 0;
  }
}

// What no window covers: a last column, a last row.
void clear_rest(const Planes& p, float* plane) {
  for (std::int64_t row = 0; row < 2 * p.rows; ++row)
    for (std::int64_t column = 2 * p.columns; column < p.width; ++column) plane[row * p.width + column] = 0;
  for (std::int64_t i = 2 * p.rows * p.width; i < p.height * p.width; ++i) plane[i] = 0;
}

void max_pool_backward(const Planes& p, const float* dy, const std::uint8_t* winner, float* dx) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 8> half;
  const hn::CappedTag<float, 4> quarter;
  for (std::int64_t plane = 0; plane < p.count; ++plane, dx += p.height * p.width) {
    for (std::int64_t row = 0; row < p.rows; ++row, dy += p.columns, winner += p.columns) {
      float *top = dx + 2 * row * p.width, *bottom = top + p.width;
      if (p.columns >= static_cast<std::int64_t>(hn::Lanes(full)))
        unpool_row(full, dy, winner, top, bottom, p.columns);
      else if (p.columns >= static_cast<std::int64_t>(hn::Lanes(half)))
        unpool_row(half, dy, winner, top, bottom, p.columns);
      else if (p.columns >= static_cast<std::int64_t>(hn::Lanes(quarter)))
        unpool_row(quarter, dy, winner, top, bottom, p.columns);
      else
        unpool_row_scalar(dy, winner, top, bottom, p.columns);
    }
    clear_rest(p, dx);
  }
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

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(max_pool_training);
HWY_EXPORT(max_pool_inference);
HWY_EXPORT(max_pool_backward);

// Input elements that one thread takes at least.
constexpr std::int64_t kGrain_elements = 16384;

class MaxPool2x2 final : public Kernel {
 public:
  explicit MaxPool2x2(const Problem& problem)
      : pass_(problem.pass), training_(problem.training || problem.pass != Pass::forward) {
    const tensor::Shape &x = problem.inputs[0], &y = problem.outputs[0];
    planes_ = {x[0] * x[1], x[2], x[3], y[2], y[3]};
    traits_.inputs.resize(1);
    traits_.outputs.resize(1);
    traits_.reads_inputs = {false};
    traits_.reads_outputs = {false};
    traits_.saved_bytes = training_ ? y.count() : 0;
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    const std::int64_t grain = std::max<std::int64_t>(1, kGrain_elements / (planes_.height * planes_.width));
    base::parallel_for(planes_.count, grain, [&](base::IndexRange range) { run_planes(args, range); });
  }

 private:
  void run_planes(const KernelArgs& args, base::IndexRange range) const {
    Planes p = planes_;
    p.count = range.size();
    const std::int64_t in = range.begin * p.height * p.width, out = range.begin * p.rows * p.columns;
    auto* winner = static_cast<std::uint8_t*>(args.saved);
    if (pass_ != Pass::forward) {
      HWY_DYNAMIC_DISPATCH(max_pool_backward)
      (p, static_cast<const float*>(args.output_gradients[0]) + out, winner + out,
       static_cast<float*>(args.input_gradients[0]) + in);
      return;
    }
    const float* x = static_cast<const float*>(args.inputs[0]) + in;
    float* y = static_cast<float*>(args.outputs[0]) + out;
    if (training_)
      HWY_DYNAMIC_DISPATCH(max_pool_training)(p, x, y, winner + out);
    else
      HWY_DYNAMIC_DISPATCH(max_pool_inference)(p, x, y);
  }

  Pass pass_;
  bool training_;
  Planes planes_;
  KernelTraits traits_;
};

base::Verdict supports(const Problem& problem) {
  if (problem.family != LayoutFamily::plain)
    return base::Reason{base::str("only plain layout, not ", name(problem.family))};
  return check_halving_max_pool(problem);
}

}  // namespace

KernelEntry max_pool_entry() {
  return {.name = "simd",
          .op = "MaxPool",
          .supports = supports,
          .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
            return std::make_unique<MaxPool2x2>(problem);
          },
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.3); },
          .error_growth = [](const Problem&) { return 0.0; }};
}

}  // namespace convoy::kernels::cpu
#endif
