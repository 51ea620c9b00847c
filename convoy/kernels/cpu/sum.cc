// Add and Sum of arrays of one shape, float32 or bf16, in float32: one pass over storage in any layout, since
// zero padding stays zero, with a relu on the way where one is fused. Backward, a sum has no kernel: each
// term's gradient is the sum's own.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/sum.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include <cstddef>
#include <span>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/vector_io-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// y[i] = sum of terms[t][begin + i], in order of t; NaN passes the relu, so that divergence shows.
template <class T>
HWY_INLINE void add_terms_of(std::span<const void* const> terms, base::IndexRange range, bool relu,
                             void* sums) {
  const auto begin = static_cast<std::size_t>(range.begin), count = static_cast<std::size_t>(range.size());
  T* y = static_cast<T*>(sums) + begin;
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto term = [&](std::size_t t) { return static_cast<const T*>(terms[t]) + begin; };
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    auto sum = load(d, term(0) + i);
    for (std::size_t t = 1; t < terms.size(); ++t) sum = hn::Add(sum, load(d, term(t) + i));
    if (relu) sum = hn::IfThenZeroElse(hn::Le(sum, hn::Zero(d)), sum);
    store(sum, d, y + i);
  }
  for (; i < count; ++i) {
    float sum = load(term(0) + i);
    for (std::size_t t = 1; t < terms.size(); ++t) sum += load(term(t) + i);
    store(relu && sum <= 0 ? 0.0F : sum, y + i);
  }
}

void add_terms(std::span<const void* const> terms, base::IndexRange range, bool relu, void* sums) {
  add_terms_of<float>(terms, range, relu, sums);
}
void add_bf16_terms(std::span<const void* const> terms, base::IndexRange range, bool relu, void* sums) {
  add_terms_of<tensor::BFloat16>(terms, range, relu, sums);
}

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "convoy/kernels/bf16.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/family.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(add_terms);
HWY_EXPORT(add_bf16_terms);

// Elements that one thread takes at least: waking the team costs about as much as these.
constexpr std::int64_t kGrain = 8192;

class Sum final : public Kernel {
 public:
  explicit Sum(const Problem& problem)
      : relu_(problem.epilogue == Epilogue::relu), bf16_(problem.type == tensor::DType::bf16) {
    const Layout layout = activation_layout(problem.outputs[0], problem.family);
    traits_.inputs.assign(problem.inputs.size(), layout);
    traits_.outputs = {layout};
    traits_.reads_inputs.assign(problem.inputs.size(), false);
    traits_.reads_outputs = {false};
    traits_.in_place = true;
    count_ = layout.storage_count(problem.outputs[0]);
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    base::parallel_for(count_, kGrain, [&](base::IndexRange range) {
      bf16_ ? HWY_DYNAMIC_DISPATCH(add_bf16_terms)(args.inputs, range, relu_, args.outputs[0])
            : HWY_DYNAMIC_DISPATCH(add_terms)(args.inputs, range, relu_, args.outputs[0]);
    });
  }

 private:
  bool relu_, bf16_;
  KernelTraits traits_;
  std::int64_t count_ = 0;
};

base::Verdict supports(const Problem& problem) {
  if (base::Verdict verdict = check_narrow_type(problem); !verdict) return verdict;
  if (problem.pass != Pass::forward) return base::Reason{"only forward: gradients of repeated terms add up"};
  for (const tensor::Shape& input : problem.inputs)
    if (input != problem.outputs[0])
      return base::Reason{base::str("inputs of one shape only, not ", input.str(), " repeated to ",
                                    problem.outputs[0].str())};
  return {};
}

void add_to(const void* from, void* to, base::IndexRange range) {
  const void* const terms[] = {to, from};
  HWY_DYNAMIC_DISPATCH(add_bf16_terms)(std::span(terms), range, false, to);
}

}  // namespace

std::vector<KernelEntry> sum_entries() {
  std::vector<KernelEntry> entries;
  for (const std::string_view op : {"Add", "Sum"})
    entries.push_back(
        {.name = "simd",
         .op = op,
         .supports = supports,
         .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
           return std::make_unique<Sum>(problem);
         },
         .seconds = [](const Problem& problem,
                       const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.5); },
         .error_growth =
             [](const Problem& problem) {
               return sum_error_growth(static_cast<double>(problem.inputs.size()));
             }});
  return entries;
}

}  // namespace convoy::kernels::cpu

namespace convoy::kernels {

void add_bf16(const tensor::BFloat16* from, tensor::BFloat16* to, base::IndexRange range) noexcept {
  cpu::add_to(from, to, range);
}

}  // namespace convoy::kernels
#endif
