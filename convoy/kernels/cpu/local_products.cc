#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/local_products.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/local_products.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
using Place = LocalProducts::Place;

// Maps that share one load of a pixel: their sums stay in registers.
constexpr std::int64_t kMapTile = 8;

// Calls tile(K, first map) for tiles of 8, 4, 2, 1 maps; K is a compile-time constant.
template <class Tile>
HWY_INLINE void for_each_map_tile(std::int64_t maps, Tile&& tile) {
  std::int64_t k = 0;
  for (; k + kMapTile <= maps; k += kMapTile) tile(std::integral_constant<int, kMapTile>(), k);
  if (k + 4 <= maps) tile(std::integral_constant<int, 4>(), k), k += 4;
  if (k + 2 <= maps) tile(std::integral_constant<int, 2>(), k), k += 2;
  if (k < maps) tile(std::integral_constant<int, 1>(), k);
}

// The codes of one place, of `row` samples; bias: of its maps, a step of `places`.
void encode_place(const Place& place, const float* xt, const float* w, const float* bias, bool accumulate,
                  float* yt) {
  const D d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d)), filter = place.channels * place.field;
  for_each_map_tile(place.maps, [&](auto tile, std::int64_t k) {
    constexpr int K = decltype(tile)::value;
    for (std::int64_t n = 0; n < place.row; n += lanes) {
      V sums[K];
      for (int i = 0; i < K; ++i) {
        sums[i] = bias == nullptr ? hn::Zero(d) : hn::Set(d, bias[(k + i) * place.places]);
        if (accumulate) sums[i] = hn::Add(sums[i], hn::Load(d, yt + (k + i) * place.places * place.row + n));
      }
      for (std::int64_t c = 0; c < place.channels; ++c)
        for (std::int64_t t = 0; t < place.count; ++t) {
          const V x = hn::Load(d, xt + (c * place.pixels + place.taps[t].offset) * place.row + n);
          const float* weight = w + k * filter + c * place.field + place.taps[t].index;
          for (int i = 0; i < K; ++i) sums[i] = hn::MulAdd(hn::Set(d, weight[i * filter]), x, sums[i]);
        }
      for (int i = 0; i < K; ++i) hn::Store(sums[i], d, yt + (k + i) * place.places * place.row + n);
    }
  });
}

// Adds what one place's codes give to channel c of the samples from n on, one vector.
void decode_place(const Place& place, const float* yt, const float* w, std::int64_t c, std::int64_t n,
                  float* xt) {
  const D d;
  const std::int64_t filter = place.channels * place.field;
  for_each_map_tile(place.maps, [&](auto tile, std::int64_t k) {
    constexpr int K = decltype(tile)::value;
    V codes[K];
    for (int i = 0; i < K; ++i) codes[i] = hn::Load(d, yt + (k + i) * place.places * place.row + n);
    for (std::int64_t t = 0; t < place.count; ++t) {
      float* pixel = xt + (c * place.pixels + place.taps[t].offset) * place.row + n;
      const float* weight = w + k * filter + c * place.field + place.taps[t].index;
      V sum = hn::Load(d, pixel);
      for (int i = 0; i < K; ++i) sum = hn::MulAdd(hn::Set(d, weight[i * filter]), codes[i], sum);
      hn::Store(sum, d, pixel);
    }
  });
}

// The gradient of one place's weights.
void weigh_place(const Place& place, const float* xt, const float* yt, bool accumulate, float* w) {
  const D d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d)), filter = place.channels * place.field;
  if (!accumulate) std::fill_n(w, place.maps * filter, 0.0f);
  for_each_map_tile(place.maps, [&](auto tile, std::int64_t k) {
    constexpr int K = decltype(tile)::value;
    for (std::int64_t c = 0; c < place.channels; ++c)
      for (std::int64_t t = 0; t < place.count; ++t) {
        const float* pixel = xt + (c * place.pixels + place.taps[t].offset) * place.row;
        V sums[K];
        for (int i = 0; i < K; ++i) sums[i] = hn::Zero(d);
        for (std::int64_t n = 0; n < place.row; n += lanes) {
          const V x = hn::Load(d, pixel + n);
          for (int i = 0; i < K; ++i)
            sums[i] = hn::MulAdd(hn::Load(d, yt + (k + i) * place.places * place.row + n), x, sums[i]);
        }
        float* weight = w + k * filter + c * place.field + place.taps[t].index;
        for (int i = 0; i < K; ++i) weight[i * filter] += hn::GetLane(hn::SumOfLanes(d, sums[i]));
      }
  });
}

float sum_row(const float* from, std::int64_t count) {
  const D d;
  V sum = hn::Zero(d);
  for (std::int64_t n = 0; n < count; n += static_cast<std::int64_t>(hn::Lanes(d)))
    sum = hn::Add(sum, hn::Load(d, from + n));
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/cpu/turn.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(encode_place);
HWY_EXPORT(decode_place);
HWY_EXPORT(weigh_place);
HWY_EXPORT(sum_row);

// Sums over samples that one thread takes at least.
constexpr std::int64_t kSums = 32;

}  // namespace

LocalProducts::LocalProducts(const layers::Window& window, std::int64_t channels, std::int64_t maps,
                             std::int64_t samples)
    : channels_(channels),
      maps_(maps),
      row_(Turn{.samples = samples}.row()),
      field_(window.kernel_count()),
      pixels_(window.input_count()),
      places_(window.output_count()) {
  const std::vector<std::int64_t> offsets = layers::tap_offsets(window);
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const auto tap = static_cast<std::int64_t>(i) % field_;
    if (tap == 0) begins_.push_back(static_cast<std::int64_t>(taps_.size()));
    if (offsets[i] >= 0)
      taps_.push_back({static_cast<std::int32_t>(tap), static_cast<std::int32_t>(offsets[i])});
  }
  begins_.push_back(static_cast<std::int64_t>(taps_.size()));
}

LocalProducts::Place LocalProducts::place(std::int64_t p) const {
  const std::int64_t begin = begins_[static_cast<std::size_t>(p)];
  return {.taps = taps_.data() + begin,
          .count = begins_[static_cast<std::size_t>(p) + 1] - begin,
          .channels = channels_,
          .maps = maps_,
          .field = field_,
          .pixels = pixels_,
          .places = places_,
          .row = row_};
}

void LocalProducts::encode(const float* xt, const float* w, const float* bias, bool accumulate,
                           float* yt) const noexcept {
  const std::int64_t filters = maps_ * channels_ * field_;
  base::parallel_for(places_, 1, [&](base::IndexRange range) {
    for (std::int64_t p = range.begin; p < range.end; ++p) HWY_DYNAMIC_DISPATCH(encode_place)
    (place(p), xt, w + p * filters, bias == nullptr ? nullptr : bias + p, accumulate, yt + p * row_);
  });
}

// Divided over channels and vectors of samples, because two places may meet in a pixel.
void LocalProducts::decode(const float* yt, const float* w, float* xt) const noexcept {
  const std::int64_t filters = maps_ * channels_ * field_, vectors = row_ / simd_lanes();
  base::parallel_for(channels_ * vectors, 1, [&](base::IndexRange range) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t c = i / vectors, n = i % vectors * simd_lanes();
      for (std::int64_t q = 0; q < pixels_; ++q)
        std::fill_n(xt + (c * pixels_ + q) * row_ + n, simd_lanes(), 0.0f);
      for (std::int64_t p = 0; p < places_; ++p)
        HWY_DYNAMIC_DISPATCH(decode_place)(place(p), yt + p * row_, w + p * filters, c, n, xt);
    }
  });
}

void LocalProducts::weigh(const float* xt, const float* yt, bool accumulate, float* w) const noexcept {
  const std::int64_t filters = maps_ * channels_ * field_;
  base::parallel_for(places_, 1, [&](base::IndexRange range) {
    for (std::int64_t p = range.begin; p < range.end; ++p)
      HWY_DYNAMIC_DISPATCH(weigh_place)(place(p), xt, yt + p * row_, accumulate, w + p * filters);
  });
}

void LocalProducts::sum_samples(const float* yt, float* bias) const noexcept {
  base::parallel_for(code_rows(), kSums, [&](base::IndexRange range) {
    for (std::int64_t i = range.begin; i < range.end; ++i)
      bias[i] = HWY_DYNAMIC_DISPATCH(sum_row)(yt + i * row_, row_);
  });
}

}  // namespace convoy::kernels::cpu
#endif
