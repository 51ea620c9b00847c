// Dropout in float32 with the draws of layers/dropout_mask.h, Philox4x32-10 computed in vector lanes: lane l
// works on counter block first + l, so one pass of ten rounds yields four draws a lane. Backward draws again
// instead of saving the mask: the generator costs less than the memory traffic of a mask would save.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/dropout.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "convoy/base/rng.h"
#include "hwy/highway.h"

#ifndef CONVOY_KERNELS_CPU_DROPOUT
#define CONVOY_KERNELS_CPU_DROPOUT
namespace convoy::kernels::cpu {

// One sample's elements: which draws they take and what they become.
struct DropoutRow {
  std::array<std::uint32_t, 4> id;  // of layers::DropoutMask
  std::uint32_t sample = 0;         // global
  std::uint32_t threshold = 0;
  float keep_scale = 1;
  std::int64_t begin = 0, end = 0;  // elements of the sample; begin is a multiple of 4
};

}  // namespace convoy::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

// One lane holds no 64-bit product: the generator's own code serves.
void dropout_row(const DropoutRow& row, const float* x, float* y) {
  for (std::int64_t i = row.begin; i < row.end; i += 4) {
    const auto draws = base::philox4x32({static_cast<std::uint32_t>(i / 4), row.sample, row.id[2], row.id[3]},
                                        {row.id[0], row.id[1]});
    for (std::int64_t j = 0; j < std::min<std::int64_t>(4, row.end - i); ++j)
      y[i + j] = draws[static_cast<std::size_t>(j)] < row.threshold ? 0 : x[i + j] * row.keep_scale;
  }
}

#else

// The halves of the 64-bit products of every lane with `factor`.
template <class D, class V>
HWY_INLINE void multiply(D d, V x, std::uint32_t factor, V& high, V& low) {
  const auto f = hn::Set(d, factor);
  const hn::Repartition<std::uint64_t, D> wide;
  const auto even = hn::BitCast(d, hn::MulEven(x, f));
  const auto odd = hn::BitCast(d, hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, x))), f));
  // even = low0 high0 low2 high2 …, odd = low1 high1 low3 high3 …
  low = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(hn::BitCast(wide, odd))), even);
  high = hn::OddEven(odd, hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, even))));
}

// Four draws of each lane's counter block, stored in element order.
template <class D>
HWY_INLINE void draw(D d, const DropoutRow& row, std::uint32_t first_block, std::uint32_t* draws) {
  auto c0 = hn::Iota(d, first_block), c1 = hn::Set(d, row.sample);
  auto c2 = hn::Set(d, row.id[2]), c3 = hn::Set(d, row.id[3]);
  std::uint32_t k0 = row.id[0], k1 = row.id[1];
  for (int round = 0; round < 10; ++round) {
    decltype(c0) high0, low0, high1, low1;
    multiply(d, c0, 0xD2511F53U, high0, low0);
    multiply(d, c2, 0xCD9E8D57U, high1, low1);
    c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(d, k0));
    c1 = low1;
    c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(d, k1));
    c3 = low0;
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  hn::StoreInterleaved4(c0, c1, c2, c3, d, draws);
}

void dropout_row(const DropoutRow& row, const float* x, float* y) {
  const hn::ScalableTag<std::uint32_t> d;
  const hn::RebindToFloat<decltype(d)> df;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  HWY_ALIGN std::uint32_t draws[4 * hn::MaxLanes(d)];
  HWY_ALIGN float piece[4 * hn::MaxLanes(d)];
  const auto scale = hn::Set(df, row.keep_scale);
  const auto sign = hn::Set(d, 0x80000000U);
  // Unsigned comparison by a signed one with the top bits flipped.
  const hn::RebindToSigned<decltype(d)> di;
  const auto threshold = hn::BitCast(di, hn::Xor(hn::Set(d, row.threshold), sign));
  for (std::int64_t i = row.begin; i < row.end; i += 4 * lanes) {
    draw(d, row, static_cast<std::uint32_t>(i / 4), draws);
    const std::int64_t count = std::min(4 * lanes, row.end - i);
    std::memcpy(piece, x + i, static_cast<std::size_t>(count) * sizeof(float));
    for (std::int64_t j = 0; j < 4 * lanes; j += lanes) {
      const auto value = hn::BitCast(di, hn::Xor(hn::Load(d, draws + j), sign));
      const auto dropped = hn::RebindMask(df, hn::Lt(value, threshold));
      hn::Store(hn::IfThenZeroElse(dropped, hn::Mul(hn::Load(df, piece + j), scale)), df, piece + j);
    }
    std::memcpy(y + i, piece, static_cast<std::size_t>(count) * sizeof(float));
  }
}

#endif  // HWY_TARGET

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "convoy/base/check.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/layers/dropout_mask.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(dropout_row);

// Elements that one thread takes at least; a draw costs about half a nanosecond.
constexpr std::int64_t kGrain_elements = 4096;

class Dropout final : public Kernel {
 public:
  explicit Dropout(const Problem& problem)
      : forward_(problem.pass == Pass::forward),
        draws_(problem.training),
        samples_(problem.inputs[0][0]),
        elements_(problem.inputs[0].count_from(1)),
        ratio_(problem.attributes.real("ratio")) {
    traits_.inputs.resize(1);
    traits_.outputs.resize(1);
    traits_.reads_inputs = {false};
    traits_.reads_outputs = {false};
    traits_.in_place = true;
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    const auto* x = static_cast<const float*>(forward_ ? args.inputs[0] : args.output_gradients[0]);
    auto* y = static_cast<float*>(forward_ ? args.outputs[0] : args.input_gradients[0]);
    if (!draws_) {
      if (x != y) std::memcpy(y, x, static_cast<std::size_t>(samples_ * elements_) * sizeof(float));
      return;
    }
    CONVOY_CHECK(args.context != nullptr);
    const layers::DropoutMask mask(args.context->key, args.context->layer_index);
    const auto first = static_cast<std::uint32_t>(args.context->key.first_sample);
    base::parallel_for(samples_,
                       std::max<std::int64_t>(1, kGrain_elements / std::max<std::int64_t>(1, elements_)),
                       [&](base::IndexRange range) {
                         for (std::int64_t n = range.begin; n < range.end; ++n) {
                           const DropoutRow row{.id = mask.id(),
                                                .sample = first + static_cast<std::uint32_t>(n),
                                                .threshold = layers::DropoutMask::threshold(ratio_),
                                                .keep_scale = static_cast<float>(1 / (1 - ratio_)),
                                                .begin = 0,
                                                .end = elements_};
                           HWY_DYNAMIC_DISPATCH(dropout_row)(row, x + n * elements_, y + n * elements_);
                         }
                       });
  }

 private:
  bool forward_;
  bool draws_;
  std::int64_t samples_;
  std::int64_t elements_;
  double ratio_;
  KernelTraits traits_;
};

base::Verdict supports(const Problem& problem) {
  if (problem.type != tensor::DType::f32)
    return base::Reason{base::str("only f32, not ", tensor::name(problem.type))};
  if (problem.epilogue != Epilogue::none) return base::Reason{"no relu behind a dropout: put it before"};
  if (problem.family != LayoutFamily::plain && problem.inputs[0].rank() > 2)
    return base::Reason{base::str("elements are drawn in plain order, not in ", name(problem.family))};
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"Dropout has no parameters"};
  if (problem.inputs[0].count_from(1) / 4 >= (std::int64_t{1} << 32))
    return base::Reason{"a sample has more elements than one generator has blocks"};
  return {};
}

}  // namespace

KernelEntry dropout_entry() {
  return {.name = "simd",
          .op = "Dropout",
          .supports = supports,
          .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
            return std::make_unique<Dropout>(problem);
          },
          // Ten rounds of two products for four draws: some 15 operations an element.
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.05); },
          // The scale is rounded once and the product once.
          .error_growth = [](const Problem&) { return 1.0; }};
}

}  // namespace convoy::kernels::cpu
#endif
