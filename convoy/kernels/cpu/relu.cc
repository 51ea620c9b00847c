// Relu in float32: one pass over storage in any layout, since zero padding stays zero.
//   forward   y = x <= 0 ? 0 : x        (NaN passes, so that divergence shows)
//   backward  dx = y > 0 ? dy : 0       (y > 0 exactly where x > 0, so x may be gone)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/relu.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void relu_forward(const float* x, float* y, std::size_t count) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    hn::StoreU(hn::IfThenZeroElse(hn::Le(v, hn::Zero(d)), v), d, y + i);
  }
  for (; i < count; ++i) y[i] = x[i] <= 0 ? 0 : x[i];
}

void relu_backward(const float* y, const float* dy, float* dx, std::size_t count) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto passes = hn::Gt(hn::LoadU(d, y + i), hn::Zero(d));
    hn::StoreU(hn::IfThenElseZero(passes, hn::LoadU(d, dy + i)), d, dx + i);
  }
  for (; i < count; ++i) dx[i] = y[i] > 0 ? dy[i] : 0;
}

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "convoy/base/threads.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/family.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(relu_forward);
HWY_EXPORT(relu_backward);

// Elements that one thread takes at least: waking the team costs about as much as these.
constexpr std::int64_t kGrain = 8192;

class Relu final : public Kernel {
 public:
  explicit Relu(const Problem& problem) : forward_(problem.pass == Pass::forward) {
    const Layout layout = activation_layout(problem.inputs[0], problem.family);
    traits_.inputs = {layout};
    traits_.outputs = {layout};
    traits_.reads_inputs = {false};
    traits_.reads_outputs = {!forward_};
    traits_.in_place = true;
    count_ = layout.storage_count(problem.inputs[0]);
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    if (forward_) {
      const auto* x = static_cast<const float*>(args.inputs[0]);
      auto* y = static_cast<float*>(args.outputs[0]);
      base::parallel_for(count_, kGrain, [=](base::IndexRange range) {
        HWY_DYNAMIC_DISPATCH(relu_forward)
        (x + range.begin, y + range.begin, static_cast<std::size_t>(range.size()));
      });
      return;
    }
    const auto* y = static_cast<const float*>(args.outputs[0]);
    const auto* dy = static_cast<const float*>(args.output_gradients[0]);
    auto* dx = static_cast<float*>(args.input_gradients[0]);
    base::parallel_for(count_, kGrain, [=](base::IndexRange range) {
      HWY_DYNAMIC_DISPATCH(relu_backward)
      (y + range.begin, dy + range.begin, dx + range.begin, static_cast<std::size_t>(range.size()));
    });
  }

 private:
  bool forward_;
  KernelTraits traits_;
  std::int64_t count_ = 0;
};

base::Verdict supports(const Problem& problem) {
  if (problem.type != tensor::DType::f32)
    return base::Reason{base::str("only f32, not ", tensor::name(problem.type))};
  if (problem.epilogue != Epilogue::none) return base::Reason{"a second relu behind a relu changes nothing"};
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"Relu has no parameters"};
  return {};
}

}  // namespace

KernelEntry relu_entry() {
  return {.name = "simd",
          .op = "Relu",
          .supports = supports,
          .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
            return std::make_unique<Relu>(problem);
          },
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.5); },
          .error_growth = [](const Problem&) { return 0.0; }};
}

}  // namespace convoy::kernels::cpu
#endif
