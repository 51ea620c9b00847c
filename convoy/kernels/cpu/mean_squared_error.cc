// MeanSquaredError in float32 arrays; differences and their squares are summed in float64, in chunks of fixed
// size whose sums are added in order, so the result does not depend on the number of threads.
//   loss = 1/(B E) sum of (a - b)^2,   da = 2 g/(B E) (a - b),   db = -da
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/mean_squared_error.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

double sum_of_squares(const float* a, const float* b, std::size_t count) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> df;
  const std::size_t lanes = hn::Lanes(d);
  auto sum = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto difference =
        hn::Sub(hn::PromoteTo(d, hn::LoadU(df, a + i)), hn::PromoteTo(d, hn::LoadU(df, b + i)));
    sum = hn::MulAdd(difference, difference, sum);
  }
  double total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < count; ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    total += difference * difference;
  }
  return total;
}

void scaled_difference(const float* a, const float* b, float scale, float* to, std::size_t count) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto factor = hn::Set(d, scale);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes)
    hn::StoreU(hn::Mul(factor, hn::Sub(hn::LoadU(d, a + i), hn::LoadU(d, b + i))), d, to + i);
  for (; i < count; ++i) to[i] = scale * (a[i] - b[i]);
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

HWY_EXPORT(sum_of_squares);
HWY_EXPORT(scaled_difference);

// Elements of one partial sum, and what one thread takes at least.
constexpr std::int64_t kChunk = 4096;

class MeanSquaredError final : public Kernel {
 public:
  explicit MeanSquaredError(const Problem& problem)
      : forward_(problem.pass == Pass::forward),
        count_(problem.inputs[0].count()),
        sample_count_(problem.inputs[0].count_from(1)) {
    traits_.inputs.resize(2);
    traits_.outputs.resize(1);
    traits_.reads_inputs = {!forward_, !forward_};
    traits_.reads_outputs = {false};
    if (forward_) traits_.workspace_bytes = chunks() * static_cast<std::int64_t>(sizeof(double));
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    CONVOY_CHECK(args.context != nullptr);
    const auto *a = static_cast<const float*>(args.inputs[0]), *b = static_cast<const float*>(args.inputs[1]);
    const double weight =
        1 / (static_cast<double>(args.context->global_batch) * static_cast<double>(sample_count_));
    if (forward_) {
      *static_cast<float*>(args.outputs[0]) =
          static_cast<float>(weight * sum(a, b, static_cast<double*>(args.workspace)));
      return;
    }
    const double incoming = *static_cast<const float*>(args.output_gradients[0]);
    const auto scale = static_cast<float>(2 * weight * incoming);
    write_gradient(a, b, scale, args.input_gradients[0]);
    write_gradient(a, b, -scale, args.input_gradients[1]);
  }

 private:
  std::int64_t chunks() const { return (count_ + kChunk - 1) / kChunk; }

  double sum(const float* a, const float* b, double* partial) const {
    base::parallel_for(chunks(), 2, [&](base::IndexRange range) {
      for (std::int64_t chunk = range.begin; chunk < range.end; ++chunk) {
        const std::int64_t begin = chunk * kChunk, end = std::min(count_, begin + kChunk);
        partial[chunk] =
            HWY_DYNAMIC_DISPATCH(sum_of_squares)(a + begin, b + begin, static_cast<std::size_t>(end - begin));
      }
    });
    double total = 0;
    for (std::int64_t chunk = 0; chunk < chunks(); ++chunk) total += partial[chunk];
    return total;
  }

  void write_gradient(const float* a, const float* b, float scale, void* to) const {
    if (to == nullptr) return;
    auto* gradient = static_cast<float*>(to);
    base::parallel_for(count_, 2 * kChunk, [=](base::IndexRange range) {
      HWY_DYNAMIC_DISPATCH(scaled_difference)
      (a + range.begin, b + range.begin, scale, gradient + range.begin,
       static_cast<std::size_t>(range.size()));
    });
  }

  bool forward_;
  std::int64_t count_;
  std::int64_t sample_count_;
  KernelTraits traits_;
};

base::Verdict supports(const Problem& problem) {
  if (problem.type != tensor::DType::f32)
    return base::Reason{base::str("only f32, not ", tensor::name(problem.type))};
  if (problem.epilogue != Epilogue::none) return base::Reason{"a loss has no epilogue"};
  if (problem.family != LayoutFamily::plain && problem.inputs[0].rank() > 2)
    return base::Reason{base::str("only plain layout, not ", name(problem.family))};
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"MeanSquaredError has no parameters"};
  return {};
}

}  // namespace

KernelEntry mean_squared_error_entry() {
  return {.name = "simd",
          .op = "MeanSquaredError",
          .supports = supports,
          .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
            return std::make_unique<MeanSquaredError>(problem);
          },
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.3); },
          // Rounded once from float64, or difference, scale and product in float32.
          .error_growth = [](const Problem&) { return 2.0; }};
}

}  // namespace convoy::kernels::cpu
#endif
