// The register tile for AVX-512 and AVX2: accumulators never leave the registers while the sum runs.
//
// AVX-512: 2 vectors times 14 outputs are 28 accumulators, two registers for weights and one for the input
// that both share. AVX2: 2 times 6. Narrower tiles serve the rest of a row and taps that reach beyond the
// border. At least 8 accumulators hide the latency of a multiply-add; what is read for one step of the
// innermost loop, 2 vectors and 14 scalars for 28 multiply-adds, stays below what a level-1 cache delivers.
#include "convoy/kernels/cpu/conv_direct_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_direct_tile.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include <array>
#include <utility>

#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET <= HWY_AVX2

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
constexpr int kWidest = kLanes == 16 ? 14 : 6;

#define CONVOY_UNROLL _Pragma("GCC unroll 16")

// kStep: TileCall::step where it is known when this is compiled, else 0.
template <int kVectors, int kWidth, int kStep, bool kDepthwise>
struct Tile {
  // Of the next block, a pixel a step; narrow tiles have fewer pixels than a block has steps, and fetching
  // what they do not read cost half the time of 3 pixels of 7.
  static constexpr bool kPrefetch = kStep >= kLanes && !kDepthwise;
  static HWY_INLINE void start(const TileCall& t, const float* y, V (&sum)[kVectors][kWidth]) {
    const D d;
    CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) CONVOY_UNROLL for (int j = 0; j < kWidth; ++j)
        __builtin_prefetch(y + v * t.y_vector + j * t.y_step, 1, 3);
    if (t.accumulate) {
      CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) CONVOY_UNROLL for (int j = 0; j < kWidth; ++j)
          sum[v][j] = hn::Load(d, y + v * t.y_vector + j * t.y_step);
      return;
    }
    CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) {
      V bias = hn::Zero(d);
      const std::int64_t lanes = t.bias_lanes - v * kLanes;
      if (t.bias != nullptr && lanes > 0)
        bias = hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(lanes)), d, t.bias + v * kLanes);
      CONVOY_UNROLL for (int j = 0; j < kWidth; ++j) sum[v][j] = bias;
    }
  }

  static HWY_INLINE void finish(const TileCall& t, float* y, const V (&sum)[kVectors][kWidth]) {
    const D d;
    if (t.relu) {
      const V zero = hn::Zero(d);
      CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) CONVOY_UNROLL for (int j = 0; j < kWidth; ++j)
          hn::Store(hn::IfThenZeroElse(hn::Le(sum[v][j], zero), sum[v][j]), d,
                    y + v * t.y_vector + j * t.y_step);
      return;
    }
    CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) CONVOY_UNROLL for (int j = 0; j < kWidth; ++j)
        hn::Store(sum[v][j], d, y + v * t.y_vector + j * t.y_step);
  }

  static HWY_INLINE void add(const TileCall& t, const float* HWY_RESTRICT x, const float* HWY_RESTRICT w,
                             V (&sum)[kVectors][kWidth]) {
    const D d;
    const std::int64_t step = kStep > 0 ? kStep : t.step;
    const float* ahead = x + t.x_block;
    for (std::int64_t i = t.inner; i > 0; --i, x += t.x_inner, w += kLanes) {
      if constexpr (kPrefetch) {
        if (kWidth > kLanes / 2 || i > t.inner - kWidth) hwy::Prefetch(ahead);
        ahead += step;
      }
      V weight[kVectors];
      CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) weight[v] = hn::Load(d, w + v * t.w_vector);
      CONVOY_UNROLL for (int j = 0; j < kWidth; ++j) {
        V input;
        if constexpr (kDepthwise)
          input = hn::Load(d, x + j * step);
        else
          input = hn::Set(d, x[j * step]);
        CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) sum[v][j] = hn::MulAdd(input, weight[v], sum[v][j]);
      }
    }
  }

  // The same for the outputs whose bits are set.
  static HWY_INLINE void add_part(const TileCall& t, const TilePartCall& part, const float* HWY_RESTRICT x,
                                  const float* HWY_RESTRICT w, V (&sum)[kVectors][kWidth]) {
    const D d;
    const std::int64_t step = kStep > 0 ? kStep : t.step;
    const float* ahead = x + t.x_block;
    for (std::int64_t i = part.inner; i > 0; --i, x += t.x_inner, w += kLanes) {
      if constexpr (kPrefetch) {
        if (kWidth > kLanes / 2 || i > part.inner - kWidth) hwy::Prefetch(ahead);
        ahead += step;
      }
      V weight[kVectors];
      CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) weight[v] = hn::Load(d, w + v * t.w_vector);
      std::uint32_t outputs = part.outputs;
      // Hidden from the compiler, which would else make a loop for each combination of bits.
      asm volatile("" : "+r"(outputs));
      CONVOY_UNROLL for (int j = 0; j < kWidth; ++j) {
        if ((outputs & (1U << j)) == 0) continue;
        V input;
        if constexpr (kDepthwise)
          input = hn::Load(d, x + j * step);
        else
          input = hn::Set(d, x[j * step]);
        CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) sum[v][j] = hn::MulAdd(input, weight[v], sum[v][j]);
      }
    }
  }

  // The products of one row of the filter with one block of input channels.
  static HWY_INLINE void add_row(const TileCall& t, const float* x, const float* w,
                                 V (&sum)[kVectors][kWidth]) {
    for (const TilePartCall* part = t.parts; part < t.parts + t.part_count; ++part) {
      const float *x_tap = x + part->x, *w_tap = w + part->w;
      for (std::int64_t s = part->columns; s > 0; --s, x_tap += t.x_column, w_tap += t.w_column)
        add_part(t, *part, x_tap, w_tap, sum);
    }
    for (std::int64_t s = t.columns; s > 0; --s, x += t.x_column, w += t.w_column) add(t, x, w, sum);
  }

  static void run(const TileCall& t) {
    for (std::int64_t i = 0; i < t.runs; ++i) {
      V sum[kVectors][kWidth];
      float* y = t.y + i * t.y_run;
      start(t, y, sum);
      const float *x = t.x + i * t.x_run, *w = t.w;
      for (std::int64_t b = t.blocks; b > 0; --b, x += t.x_block, w += t.w_block) {
        const float *x_row = x, *w_row = w;
        for (std::int64_t r = t.rows; r > 0; --r, x_row += t.x_row, w_row += t.w_row)
          add_row(t, x_row, w_row, sum);
      }
      finish(t, y, sum);
    }
  }
};

template <int kVectors, int kStep, bool kDepthwise, int... kWidthsLessOne>
TileFunction of_width(std::int64_t width, std::integer_sequence<int, kWidthsLessOne...>) {
  static constexpr TileFunction kFunctions[] = {
      Tile<kVectors, kWidthsLessOne + 1, kStep, kDepthwise>::run...};
  return kFunctions[width - 1];
}

template <int kStep>
TileFunction of_step(const TileShape& shape) {
  const std::make_integer_sequence<int, kWidest> widths;
  return shape.vectors == 1 ? of_width<1, kStep, false>(shape.width, widths)
                            : of_width<2, kStep, false>(shape.width, widths);
}

TileFunction target_tile_function(const TileShape& shape) {
  if (shape.depthwise) {
    const std::make_integer_sequence<int, kWidest> widths;
    if (shape.step == kLanes) return of_width<1, kLanes, true>(shape.width, widths);
    return of_width<1, 0, true>(shape.width, widths);
  }
  // Strides of 1 and 2 in blocks of channels; of 1, 2 and 4 in plain rows.
  switch (shape.step) {
    case kLanes:
      return of_step<kLanes>(shape);
    case 2 * kLanes:
      return of_step<2 * kLanes>(shape);
    case 1:
      return of_step<1>(shape);
    case 2:
      return of_step<2>(shape);
    case 4:
      return of_step<4>(shape);
    default:
      return of_step<0>(shape);
  }
}

std::int64_t target_widest_tile() { return kWidest; }

#else  // ConvGeometry::of refuses these processors

TileFunction target_tile_function(const TileShape&) { return nullptr; }
std::int64_t target_widest_tile() { return 1; }

#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace convoy::kernels::cpu {

HWY_EXPORT(target_tile_function);
HWY_EXPORT(target_widest_tile);

TileFunction tile_function(const TileShape& shape) {
  return HWY_DYNAMIC_DISPATCH(target_tile_function)(shape);
}
std::int64_t widest_tile() { return HWY_DYNAMIC_DISPATCH(target_widest_tile)(); }

}  // namespace convoy::kernels::cpu
#endif
