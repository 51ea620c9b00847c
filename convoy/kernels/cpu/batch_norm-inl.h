// Passes over one vector of channels of a batch for one instruction set. Included once a Highway target, no
// guard by #pragma.
#include <algorithm>
#include <cstdint>

#include "convoy/kernels/cpu/batch_norm.h"
#include "convoy/kernels/cpu/vector_io-inl.h"
#include "hwy/highway.h"

#if defined(CONVOY_KERNELS_CPU_BATCH_NORM_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_BATCH_NORM_INL
#undef CONVOY_KERNELS_CPU_BATCH_NORM_INL
#else
#define CONVOY_KERNELS_CPU_BATCH_NORM_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using ChannelTag = hn::ScalableTag<float>;
using ChannelVec = hn::Vec<ChannelTag>;

// Pixels whose sums are formed in float32 before they go to the float64 totals: they stay in the first cache
// between the two looks that a variance takes, and sums so short lose nothing.
inline constexpr std::int64_t kChunkPixels = 128;

// Calls visit(offset of the first pixel, pixels) for each chunk of the range; chunks end with their image.
template <class Visit>
HWY_INLINE void for_each_chunk(const ChannelColumn& column, base::IndexRange pixels, const Visit& visit) {
  for (std::int64_t at = pixels.begin; at < pixels.end;) {
    const std::int64_t image = at / column.pixels, pixel = at % column.pixels;
    const std::int64_t count = std::min({kChunkPixels, column.pixels - pixel, pixels.end - at});
    visit(image * column.image_stride + pixel * column.pixel_stride, count);
    at += count;
  }
}

// Adds step(i) of `count` pixels i in four chains, so that additions overlap.
template <class Step>
HWY_INLINE ChannelVec sum_of(std::int64_t count, const Step& step) {
  const ChannelTag d;
  ChannelVec a = hn::Zero(d), b = a, c = a, e = a;
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    a = step(i, a);
    b = step(i + 1, b);
    c = step(i + 2, c);
    e = step(i + 3, e);
  }
  for (; i < count; ++i) a = step(i, a);
  return hn::Add(hn::Add(a, b), hn::Add(c, e));
}

// totals.first += sum of x, totals.second += sum of x^2. A chunk's squares are taken about its mean m and put
// together as  sum (x - m)^2 + (sum x)^2 / count,  so that nothing cancels in float32.
template <class T>
HWY_INLINE void add_moments_of(const ChannelColumn& column, base::IndexRange pixels, const T* x,
                               ChannelTotals& totals) {
  const ChannelTag d;
  HWY_ALIGN float sum[HWY_MAX_BYTES / sizeof(float)], squares[HWY_MAX_BYTES / sizeof(float)];
  for_each_chunk(column, pixels, [&](std::int64_t offset, std::int64_t count) HWY_ATTR {
    const T* first = x + offset;
    const auto total = sum_of(count, [&](std::int64_t i, ChannelVec s) HWY_ATTR {
      return hn::Add(s, load(d, first + i * column.pixel_stride));
    });
    const float share = 1.0F / static_cast<float>(count);
    const auto mean = hn::Mul(total, hn::Set(d, share));
    const auto deviations = sum_of(count, [&](std::int64_t i, ChannelVec s) HWY_ATTR {
      const auto difference = hn::Sub(load(d, first + i * column.pixel_stride), mean);
      return hn::MulAdd(difference, difference, s);
    });
    hn::Store(total, d, sum);
    hn::Store(deviations, d, squares);
    for (std::size_t l = 0; l < hn::Lanes(d); ++l) {
      const double s = sum[l];
      totals.first[l] += s;
      // About a mean that is rounded, the squares are too large by count (m - sum/count)^2: of second order.
      totals.second[l] += squares[l] + s * s / static_cast<double>(count);
    }
  });
}

void add_moments(const ChannelColumn& column, base::IndexRange pixels, const void* x, ChannelTotals& totals) {
  column.bf16 ? add_moments_of(column, pixels, static_cast<const tensor::BFloat16*>(x), totals)
              : add_moments_of(column, pixels, static_cast<const float*>(x), totals);
}

// y = factor (x - mean) + bias, then relu.
template <bool kRelu>
HWY_INLINE ChannelVec normalised(ChannelVec x, ChannelVec mean, ChannelVec factor, ChannelVec bias) {
  const auto y = hn::MulAdd(hn::Sub(x, mean), factor, bias);
  if constexpr (!kRelu) return y;
  return hn::IfThenZeroElse(hn::Le(y, hn::Zero(ChannelTag())), y);  // NaN passes
}

template <bool kRelu, class T>
HWY_INLINE void normalise(const ChannelColumn& column, base::IndexRange pixels, const T* x,
                          const ChannelFactors& f, T* y) {
  const ChannelTag d;
  const auto mean = hn::Load(d, f.mean), factor = hn::Load(d, f.factor), bias = hn::Load(d, f.bias);
  for_each_chunk(column, pixels, [&](std::int64_t offset, std::int64_t count) HWY_ATTR {
    for (std::int64_t i = 0; i < count; ++i, offset += column.pixel_stride)
      store(normalised<kRelu>(load(d, x + offset), mean, factor, bias), d, y + offset);
  });
}

template <class T>
HWY_INLINE void normalise_of(const ChannelColumn& column, base::IndexRange pixels, const void* x,
                             const ChannelFactors& factors, bool relu, void* y) {
  const auto* from = static_cast<const T*>(x);
  auto* to = static_cast<T*>(y);
  relu ? normalise<true>(column, pixels, from, factors, to)
       : normalise<false>(column, pixels, from, factors, to);
}

void normalise_column(const ChannelColumn& column, base::IndexRange pixels, const void* x,
                      const ChannelFactors& factors, bool relu, void* y) {
  column.bf16 ? normalise_of<tensor::BFloat16>(column, pixels, x, factors, relu, y)
              : normalise_of<float>(column, pixels, x, factors, relu, y);
}

// The gradient of the normalised value: behind a relu only where that is positive, which x tells.
template <bool kRelu>
HWY_INLINE ChannelVec gate(ChannelVec dy, ChannelVec x, ChannelVec mean, ChannelVec factor, ChannelVec bias) {
  if constexpr (!kRelu) return dy;
  const auto y = hn::MulAdd(hn::Sub(x, mean), factor, bias);
  return hn::IfThenElseZero(hn::Gt(y, hn::Zero(ChannelTag())), dy);
}

template <bool kRelu, class T>
HWY_INLINE void add_gradients(const ChannelColumn& column, base::IndexRange pixels, const T* x, const T* dy,
                              const ChannelFactors& f, ChannelTotals& totals) {
  const ChannelTag d;
  const auto mean = hn::Load(d, f.mean), factor = hn::Load(d, f.factor), bias = hn::Load(d, f.bias);
  HWY_ALIGN float sum[HWY_MAX_BYTES / sizeof(float)], product[HWY_MAX_BYTES / sizeof(float)];
  for_each_chunk(column, pixels, [&](std::int64_t offset, std::int64_t count) HWY_ATTR {
    ChannelVec sum_even = hn::Zero(d), sum_odd = sum_even, product_even = sum_even, product_odd = sum_even;
    const auto step = [&](std::int64_t at, ChannelVec& s, ChannelVec& p) HWY_ATTR {
      const auto v = load(d, x + at);
      const auto g = gate<kRelu>(load(d, dy + at), v, mean, factor, bias);
      s = hn::Add(s, g);
      p = hn::MulAdd(g, hn::Sub(v, mean), p);
    };
    for (std::int64_t i = 0; i + 2 <= count; i += 2, offset += 2 * column.pixel_stride) {
      step(offset, sum_even, product_even);
      step(offset + column.pixel_stride, sum_odd, product_odd);
    }
    if (count % 2 != 0) step(offset, sum_even, product_even);
    hn::Store(hn::Add(sum_even, sum_odd), d, sum);
    hn::Store(hn::Add(product_even, product_odd), d, product);
    for (std::size_t l = 0; l < hn::Lanes(d); ++l) {
      totals.first[l] += sum[l];
      totals.second[l] += product[l];
    }
  });
}

template <class T>
HWY_INLINE void add_gradients_of(const ChannelColumn& column, base::IndexRange pixels, const ForwardPair& of,
                                 const ChannelFactors& factors, bool relu, ChannelTotals& totals) {
  const auto *x = static_cast<const T*>(of.x), *dy = static_cast<const T*>(of.dy);
  relu ? add_gradients<true>(column, pixels, x, dy, factors, totals)
       : add_gradients<false>(column, pixels, x, dy, factors, totals);
}

// totals.first += sum of dy, totals.second += sum of dy (x - mean).
void add_gradients_of_column(const ChannelColumn& column, base::IndexRange pixels, const ForwardPair& of,
                             const ChannelFactors& factors, bool relu, ChannelTotals& totals) {
  column.bf16 ? add_gradients_of<tensor::BFloat16>(column, pixels, of, factors, relu, totals)
              : add_gradients_of<float>(column, pixels, of, factors, relu, totals);
}

template <bool kRelu, class T>
HWY_INLINE void differentiate(const ChannelColumn& column, base::IndexRange pixels, const T* x, const T* dy,
                              const ChannelFactors& f, T* dx) {
  const ChannelTag d;
  const auto mean = hn::Load(d, f.mean), factor = hn::Load(d, f.factor), bias = hn::Load(d, f.bias);
  const auto slope = hn::Load(d, f.slope), shift = hn::Load(d, f.shift);
  for_each_chunk(column, pixels, [&](std::int64_t offset, std::int64_t count) HWY_ATTR {
    for (std::int64_t i = 0; i < count; ++i, offset += column.pixel_stride) {
      const auto v = load(d, x + offset);
      const auto g = gate<kRelu>(load(d, dy + offset), v, mean, factor, bias);
      const auto centred = hn::MulAdd(hn::Sub(v, mean), slope, shift);
      store(hn::MulAdd(g, factor, centred), d, dx + offset);
    }
  });
}

template <class T>
HWY_INLINE void differentiate_of(const ChannelColumn& column, base::IndexRange pixels, const ForwardPair& of,
                                 const ChannelFactors& factors, bool relu, void* dx) {
  const auto *x = static_cast<const T*>(of.x), *dy = static_cast<const T*>(of.dy);
  auto* to = static_cast<T*>(dx);
  relu ? differentiate<true>(column, pixels, x, dy, factors, to)
       : differentiate<false>(column, pixels, x, dy, factors, to);
}

// dx = factor dy + slope (x - mean) + shift.
void differentiate_column(const ChannelColumn& column, base::IndexRange pixels, const ForwardPair& of,
                          const ChannelFactors& factors, bool relu, void* dx) {
  column.bf16 ? differentiate_of<tensor::BFloat16>(column, pixels, of, factors, relu, dx)
              : differentiate_of<float>(column, pixels, of, factors, relu, dx);
}

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
