// LpPool with p = 2 in float32: the maps of all samples are turned to lie innermost, as vectors.
//   y[o] = sqrt(sum over taps of x^2),   dx[q] = x[q] sum over the windows o that hold q of dy[o] / y[o]
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/lp_pool.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/lp_pool.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// One vector of maps.
void pool_norms(const PoolTaps& taps, const float* x, float* y) {
  const hn::ScalableTag<float> d;
  for (std::int64_t o = 0; o < taps.outputs(); ++o) {
    auto sum = hn::Zero(d);
    for (const std::int32_t offset : taps.of(o)) {
      const auto value = hn::Load(d, x + offset * taps.row);
      sum = hn::MulAdd(value, value, sum);
    }
    hn::Store(hn::Sqrt(sum), d, y + o * taps.row);
  }
}

void pool_gradients(const PoolTaps& taps, const float* x, const float* y, const float* dy, float* dx) {
  const hn::ScalableTag<float> d;
  const auto zero = hn::Zero(d);
  for (std::int64_t q = 0; q < taps.pixels; ++q) hn::Store(zero, d, dx + q * taps.row);
  for (std::int64_t o = 0; o < taps.outputs(); ++o) {
    const auto norm = hn::Load(d, y + o * taps.row);
    const auto ratio =
        hn::IfThenElse(hn::Gt(norm, zero), hn::Div(hn::Load(d, dy + o * taps.row), norm), zero);
    for (const std::int32_t offset : taps.of(o)) {
      float* to = dx + offset * taps.row;
      hn::Store(hn::Add(hn::Load(d, to), ratio), d, to);
    }
  }
  for (std::int64_t q = 0; q < taps.pixels; ++q)
    hn::Store(hn::Mul(hn::Load(d, dx + q * taps.row), hn::Load(d, x + q * taps.row)), d, dx + q * taps.row);
}

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "convoy/base/threads.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/cpu/turn.h"
#include "convoy/layers/window.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(pool_norms);
HWY_EXPORT(pool_gradients);

layers::Window window_of(const Problem& problem) {
  return layers::resolve_window(problem.attributes, problem.inputs[0]).value();
}

class LpPool final : public Kernel {
 public:
  explicit LpPool(const Problem& problem) : forward_(problem.pass == Pass::forward) {
    const layers::Window window = window_of(problem);
    const std::int64_t maps = problem.inputs[0][0] * problem.inputs[0][1];
    image_ = {.samples = maps, .rows = window.input_count(), .stride = window.input_count()};
    pooled_ = {.samples = maps, .rows = window.output_count(), .stride = window.output_count()};
    taps_.row = image_.row();
    taps_.pixels = image_.rows;
    const std::vector<std::int64_t> offsets = layers::tap_offsets(window);
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      if (static_cast<std::int64_t>(i) % window.kernel_count() == 0)
        taps_.begins.push_back(taps_.offsets.size());
      if (offsets[i] >= 0) taps_.offsets.push_back(static_cast<std::int32_t>(offsets[i]));
    }
    taps_.begins.push_back(taps_.offsets.size());
    traits_.inputs.resize(1);
    traits_.outputs.resize(1);
    traits_.reads_inputs = {!forward_};
    traits_.reads_outputs = {!forward_};
    const std::int64_t rows = image_.rows + pooled_.rows;
    traits_.workspace_bytes =
        (forward_ ? 1 : 2) * rows * taps_.row * static_cast<std::int64_t>(sizeof(float));
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    auto* x = static_cast<float*>(args.workspace);
    float* y = x + image_.rows * taps_.row;
    turn_in(image_, static_cast<const float*>(args.inputs[0]), x);
    if (forward_) {
      for_each_vector([&](std::int64_t n) { HWY_DYNAMIC_DISPATCH(pool_norms)(taps_, x + n, y + n); });
      turn_out(pooled_, y, static_cast<float*>(args.outputs[0]));
      return;
    }
    float *dy = y + pooled_.rows * taps_.row, *dx = dy + pooled_.rows * taps_.row;
    turn_in(pooled_, static_cast<const float*>(args.outputs[0]), y);
    turn_in(pooled_, static_cast<const float*>(args.output_gradients[0]), dy);
    for_each_vector([&](std::int64_t n) {
      HWY_DYNAMIC_DISPATCH(pool_gradients)(taps_, x + n, y + n, dy + n, dx + n);
    });
    turn_out(image_, dx, static_cast<float*>(args.input_gradients[0]));
  }

 private:
  template <class Body>
  void for_each_vector(Body&& body) const {
    base::parallel_for(taps_.row / simd_lanes(), 1, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end; ++i) body(i * simd_lanes());
    });
  }

  bool forward_;
  Turn image_, pooled_;
  PoolTaps taps_;
  KernelTraits traits_;
};

base::Verdict supports(const Problem& problem) {
  if (problem.type != tensor::DType::f32)
    return base::Reason{base::str("only f32, not ", tensor::name(problem.type))};
  if (problem.epilogue != Epilogue::none) return base::Reason{"no relu behind a norm"};
  if (problem.attributes.integer("p") != 2)
    return base::Reason{base::str("only p = 2, not ", problem.attributes.integer("p"))};
  if (problem.family != LayoutFamily::plain)
    return base::Reason{base::str("only plain layout, not ", name(problem.family))};
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"LpPool has no parameters"};
  if (problem.inputs[0].count_from(2) > (std::int64_t{1} << 31) - 1)
    return base::Reason{"only images below 2^31 pixels"};
  return {};
}

// A root halves the error of the sum of squares, and rounds; a quotient, a sum over windows and a product.
double growth(const Problem& problem) {
  const auto taps = static_cast<double>(window_of(problem).kernel_count());
  const double norm = sum_error_growth(taps) / 2 + 1;
  return problem.pass == Pass::forward ? norm : norm + sum_error_growth(taps) + 2;
}

}  // namespace

KernelEntry lp_pool_entry() {
  return {.name = "simd",
          .op = "LpPool",
          .supports = supports,
          .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
            return std::make_unique<LpPool>(problem);
          },
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.1); },
          .error_growth = growth};
}

}  // namespace convoy::kernels::cpu
#endif
