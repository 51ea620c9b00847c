// Relu of float32 or bf16: one pass over storage in any layout, since zero padding stays zero.
//   forward   y = x <= 0 ? 0 : x        (NaN passes, so that divergence shows)
//   backward  dx = y > 0 ? dy : 0       (y > 0 exactly where x > 0, so x may be gone)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/relu.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/vector_io-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
HWY_INLINE void relu_forward_of(const void* inputs, void* outputs, base::IndexRange range) {
  const T* x = static_cast<const T*>(inputs) + range.begin;
  T* y = static_cast<T*>(outputs) + range.begin;
  const auto count = static_cast<std::size_t>(range.size());
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto v = load(d, x + i);
    store(hn::IfThenZeroElse(hn::Le(v, hn::Zero(d)), v), d, y + i);
  }
  for (; i < count; ++i) store(load(x + i) <= 0 ? 0.0F : load(x + i), y + i);
}

void relu_forward(const void* x, void* y, bool bf16, base::IndexRange range) {
  bf16 ? relu_forward_of<tensor::BFloat16>(x, y, range) : relu_forward_of<float>(x, y, range);
}

template <class T>
HWY_INLINE void relu_backward_of(const void* outputs, const void* gradients, void* result,
                                 base::IndexRange range) {
  const T *y = static_cast<const T*>(outputs) + range.begin,
          *dy = static_cast<const T*>(gradients) + range.begin;
  T* dx = static_cast<T*>(result) + range.begin;
  const auto count = static_cast<std::size_t>(range.size());
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto passes = hn::Gt(load(d, y + i), hn::Zero(d));
    store(hn::IfThenElseZero(passes, load(d, dy + i)), d, dx + i);
  }
  for (; i < count; ++i) store(load(y + i) > 0 ? load(dy + i) : 0.0F, dx + i);
}

void relu_backward(const void* y, const void* dy, void* dx, bool bf16, base::IndexRange range) {
  bf16 ? relu_backward_of<tensor::BFloat16>(y, dy, dx, range) : relu_backward_of<float>(y, dy, dx, range);
}

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "convoy/kernels/bf16.h"
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
  explicit Relu(const Problem& problem)
      : forward_(problem.pass == Pass::forward), bf16_(problem.type == tensor::DType::bf16) {
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
    base::parallel_for(count_, kGrain, [&](base::IndexRange range) {
      if (forward_)
        HWY_DYNAMIC_DISPATCH(relu_forward)(args.inputs[0], args.outputs[0], bf16_, range);
      else
        HWY_DYNAMIC_DISPATCH(relu_backward)
      (args.outputs[0], args.output_gradients[0], args.input_gradients[0], bf16_, range);
    });
  }

 private:
  bool forward_, bf16_;
  KernelTraits traits_;
  std::int64_t count_ = 0;
};

base::Verdict supports(const Problem& problem) {
  if (base::Verdict verdict = check_narrow_type(problem); !verdict) return verdict;
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
