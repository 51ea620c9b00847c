// SoftmaxCrossEntropyLoss in float32. Forward in training saves softmax(x), so that backward is one pass:
//   loss = 1/B sum over n of (log sum over k of exp(x[n,k] - m) - (x[n,label] - m)),  m = max over k of
//   x[n,k] dx[n,k] = g/B (softmax(x[n])[k] - [k = label])
// A row's sum of exponentials is float32 in vector lanes; its logarithm and the sum over n are float64, n
// ascending, so the result does not depend on the number of threads.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/softmax_cross_entropy_loss.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include <cmath>
#include <cstring>
#include <limits>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The last, incomplete vector of a row, filled up with `rest`. A copy, because a masked load may read
// behind the array on old targets.
template <class D>
HWY_INLINE hn::Vec<D> load_tail(D d, const float* row, std::int64_t count, float rest) {
  HWY_ALIGN float buffer[hn::MaxLanes(d)];
  for (float& lane : buffer) lane = rest;
  std::memcpy(buffer, row, static_cast<std::size_t>(count) * sizeof(float));
  return hn::Load(d, buffer);
}

template <class D>
HWY_INLINE void store_tail(D d, hn::Vec<D> v, float* row, std::int64_t count) {
  HWY_ALIGN float buffer[hn::MaxLanes(d)];
  hn::Store(v, d, buffer);
  std::memcpy(row, buffer, static_cast<std::size_t>(count) * sizeof(float));
}

template <class D>
HWY_INLINE float row_max(D d, const float* x, std::int64_t classes) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  auto largest = hn::Set(d, kLowest);
  std::int64_t k = 0;
  for (; k + lanes <= classes; k += lanes) largest = hn::Max(largest, hn::LoadU(d, x + k));
  if (k < classes) largest = hn::Max(largest, load_tail(d, x + k, classes - k, kLowest));
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

// exp(x - largest) into e; returns the sum.
template <class D>
HWY_INLINE float row_exp(D d, const float* x, float largest, float* e, std::int64_t classes) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto shift = hn::Set(d, largest);
  auto sum = hn::Zero(d);
  std::int64_t k = 0;
  for (; k + lanes <= classes; k += lanes) {
    const auto v = hn::Exp(d, hn::Sub(hn::LoadU(d, x + k), shift));
    sum = hn::Add(sum, v);
    hn::StoreU(v, d, e + k);
  }
  if (k < classes) {
    constexpr float kVanishes = -std::numeric_limits<float>::infinity();
    const auto v = hn::Exp(d, hn::Sub(load_tail(d, x + k, classes - k, kVanishes), shift));
    sum = hn::Add(sum, v);
    store_tail(d, v, e + k, classes - k);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

template <class D>
HWY_INLINE void scale_row(D d, const float* in, float factor, float* out, std::int64_t classes) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto f = hn::Set(d, factor);
  std::int64_t k = 0;
  for (; k + lanes <= classes; k += lanes) hn::StoreU(hn::Mul(hn::LoadU(d, in + k), f), d, out + k);
  for (; k < classes; ++k) out[k] = in[k] * factor;
}

// One row: softmax into p, the row's loss returned.
double loss_row(const float* x, std::int64_t classes, std::int32_t label, float* p) {
  const hn::ScalableTag<float> d;
  const float largest = row_max(d, x, classes);
  const float sum = row_exp(d, x, largest, p, classes);
  scale_row(d, p, 1.0F / sum, p, classes);
  return std::log(static_cast<double>(sum)) - (static_cast<double>(x[label]) - largest);
}

void loss_gradient_row(const float* p, std::int64_t classes, std::int32_t label, float scale, float* dx) {
  const hn::ScalableTag<float> d;
  scale_row(d, p, scale, dx, classes);
  dx[label] = scale * (p[label] - 1.0F);
}

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(loss_row);
HWY_EXPORT(loss_gradient_row);

constexpr std::int64_t kAlignment_bytes = 64;
// Scores that one thread takes at least: an exponential costs about a nanosecond.
constexpr std::int64_t kGrain_scores = 2048;

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kAlignment_bytes - 1) / kAlignment_bytes * kAlignment_bytes;
}

class SoftmaxCrossEntropyLoss final : public Kernel {
 public:
  explicit SoftmaxCrossEntropyLoss(const Problem& problem)
      : forward_(problem.pass == Pass::forward),
        saves_(problem.training || !forward_),
        samples_(problem.inputs[0][0]),
        classes_(problem.inputs[0][1]) {
    traits_.inputs.resize(2);
    traits_.outputs.resize(1);
    traits_.reads_inputs = {false, !forward_};
    traits_.reads_outputs = {false};
    const std::int64_t softmax_bytes =
        aligned(samples_ * classes_ * static_cast<std::int64_t>(sizeof(float)));
    if (saves_) traits_.saved_bytes = softmax_bytes;
    if (forward_)
      traits_.workspace_bytes =
          aligned(samples_ * static_cast<std::int64_t>(sizeof(double))) + (saves_ ? 0 : softmax_bytes);
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    CONVOY_CHECK(args.context != nullptr);
    const auto* labels = static_cast<const std::int32_t*>(args.inputs[1]);
    for (std::int64_t n = 0; n < samples_; ++n)
      CONVOY_CHECK(labels[n] >= 0 && labels[n] < classes_, "label ", labels[n], " of ", classes_);
    forward_ ? run_forward(args, labels) : run_backward(args, labels);
  }

 private:
  std::int64_t grain() const { return std::max<std::int64_t>(1, kGrain_scores / classes_); }

  void run_forward(const KernelArgs& args, const std::int32_t* labels) const {
    const auto* x = static_cast<const float*>(args.inputs[0]);
    auto* losses = static_cast<double*>(args.workspace);
    auto* softmax =
        static_cast<float*>(saves_ ? args.saved
                                   : static_cast<std::byte*>(args.workspace) +
                                         aligned(samples_ * static_cast<std::int64_t>(sizeof(double))));
    base::parallel_for(samples_, grain(), [&](base::IndexRange range) {
      for (std::int64_t n = range.begin; n < range.end; ++n)
        losses[n] =
            HWY_DYNAMIC_DISPATCH(loss_row)(x + n * classes_, classes_, labels[n], softmax + n * classes_);
    });
    double sum = 0;
    for (std::int64_t n = 0; n < samples_; ++n) sum += losses[n];
    *static_cast<float*>(args.outputs[0]) =
        static_cast<float>(sum / static_cast<double>(args.context->global_batch));
  }

  void run_backward(const KernelArgs& args, const std::int32_t* labels) const {
    const auto* softmax = static_cast<const float*>(args.saved);
    auto* dx = static_cast<float*>(args.input_gradients[0]);
    const float scale =
        static_cast<float>(static_cast<double>(*static_cast<const float*>(args.output_gradients[0])) /
                           static_cast<double>(args.context->global_batch));
    base::parallel_for(samples_, grain(), [&](base::IndexRange range) {
      for (std::int64_t n = range.begin; n < range.end; ++n) HWY_DYNAMIC_DISPATCH(loss_gradient_row)
      (softmax + n * classes_, classes_, labels[n], scale, dx + n * classes_);
    });
  }

  bool forward_;
  bool saves_;
  std::int64_t samples_;
  std::int64_t classes_;
  KernelTraits traits_;
};

// Families differ in nothing here: scores are a matrix.
base::Verdict supports(const Problem& problem) {
  if (problem.type != tensor::DType::f32)
    return base::Reason{base::str("only f32, not ", tensor::name(problem.type))};
  if (problem.epilogue != Epilogue::none) return base::Reason{"a loss has no epilogue"};
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"SoftmaxCrossEntropyLoss has no parameters"};
  return {};
}

// Every row adds K exponentials (each within 2 units), subtracts, multiplies and rounds a few times; the
// terms of the bound are listed in docs/numerics.md.
double error_growth(const Problem& problem) {
  return sum_error_growth(static_cast<double>(problem.inputs[0][1])) + 6;
}

}  // namespace

KernelEntry softmax_cross_entropy_loss_entry() {
  return {.name = "simd",
          .op = "SoftmaxCrossEntropyLoss",
          .supports = supports,
          .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
            return std::make_unique<SoftmaxCrossEntropyLoss>(problem);
          },
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.1); },
          .error_growth = error_growth};
}

}  // namespace convoy::kernels::cpu
#endif
