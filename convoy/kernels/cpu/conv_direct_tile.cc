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
template <int kVectors, int kWidth, int kStep, TileForm kForm>
struct Tile {
  static constexpr bool kDepthwise = kForm == TileForm::depthwise;
  // Of the next block, a pixel a step; narrow tiles have fewer pixels than a block has steps, and fetching
  // what they do not read cost half the time of 3 pixels of 7.
  static constexpr bool kPrefetch = kStep >= kLanes && !kDepthwise;
  static HWY_INLINE void start(const TileCall& t, const float* y, V (&sum)[kVectors][kWidth]) {
    const D d;
    // Listed taps are few, and fetch an output each.
    if constexpr (kForm != TileForm::taps)
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

  // One product of the outputs whose bits are set.
  static HWY_INLINE void add_some(const TileCall& t, const float* HWY_RESTRICT x, const float* HWY_RESTRICT w,
                                  std::uint32_t outputs, V (&sum)[kVectors][kWidth]) {
    const D d;
    const std::int64_t step = kStep > 0 ? kStep : t.step;
    V weight[kVectors];
    CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) weight[v] = hn::Load(d, w + v * t.w_vector);
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

  // add() for the outputs whose bits are set.
  static HWY_INLINE void add_part(const TileCall& t, const TilePartCall& part, const float* HWY_RESTRICT x,
                                  const float* HWY_RESTRICT w, V (&sum)[kVectors][kWidth]) {
    const std::int64_t step = kStep > 0 ? kStep : t.step;
    const float* ahead = x + t.x_block;
    for (std::int64_t i = part.inner; i > 0; --i, x += t.x_inner, w += kLanes) {
      if constexpr (kPrefetch) {
        if (kWidth > kLanes / 2 || i > part.inner - kWidth) hwy::Prefetch(ahead);
        ahead += step;
      }
      add_some(t, x, w, part.outputs, sum);
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

  // One product of all outputs. AVX-512 multiplies by an input in memory as fast as by one in a register, so
  // that each vector reads it anew: with a third fewer instructions more of them are in flight where a tile
  // ends and the next begins (27 taps: 3 % faster). Hidden from the compiler, which would share the input.
  static HWY_INLINE void add_tap(const TileCall& t, const float* HWY_RESTRICT x, const float* HWY_RESTRICT w,
                                 V (&sum)[kVectors][kWidth]) {
    const D d;
    const std::int64_t step = kStep > 0 ? kStep : t.step;
    if constexpr (kLanes < 16) {
      V weight[kVectors];
      CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) weight[v] = hn::Load(d, w + v * t.w_vector);
      CONVOY_UNROLL for (int j = 0; j < kWidth; ++j) {
        const V input = hn::Set(d, x[j * step]);
        CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) sum[v][j] = hn::MulAdd(input, weight[v], sum[v][j]);
      }
    } else {
      CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) {
        const V weight = hn::Load(d, w + v * t.w_vector);
        asm volatile("" : "+r"(x));
        CONVOY_UNROLL for (int j = 0; j < kWidth; ++j) sum[v][j] =
            hn::MulAdd(hn::Set(d, x[j * step]), weight, sum[v][j]);
      }
    }
  }

  // The outputs are fetched one a tap: all at once they hold up the taps (27 of them: 2 %).
  static HWY_INLINE void add_taps(const TileCall& t, const float* x, const float* y,
                                  V (&sum)[kVectors][kWidth]) {
    const float *w = t.w, *const end = y + kWidth * t.y_step;
    for (std::int64_t b = t.blocks; b > 0; --b, x += t.x_block, w += t.w_block) {
      for (const TileTap& tap : t.whole_taps) {
        if (y < end) {
          CONVOY_UNROLL for (int v = 0; v < kVectors; ++v) __builtin_prefetch(y + v * t.y_vector, 1, 3);
          y += t.y_step;
        }
        add_tap(t, x + tap.x, w + tap.w, sum);
      }
      for (const TileTap& tap : t.some_taps) add_some(t, x + tap.x, w + tap.w, tap.outputs, sum);
    }
  }

  static HWY_INLINE void add_blocks(const TileCall& t, const float* x, V (&sum)[kVectors][kWidth]) {
    const float* w = t.w;
    for (std::int64_t b = t.blocks; b > 0; --b, x += t.x_block, w += t.w_block) {
      const float *x_row = x, *w_row = w;
      for (std::int64_t r = t.rows; r > 0; --r, x_row += t.x_row, w_row += t.w_row)
        add_row(t, x_row, w_row, sum);
    }
  }

  static void run(const TileCall& t) {
    for (std::int64_t i = 0; i < t.runs; ++i) {
      V sum[kVectors][kWidth];
      float* y = t.y + i * t.y_run;
      start(t, y, sum);
      if constexpr (kForm == TileForm::taps)
        add_taps(t, t.x + i * t.x_run, y, sum);
      else
        add_blocks(t, t.x + i * t.x_run, sum);
      finish(t, y, sum);
    }
  }
};

template <int kVectors, int kStep, TileForm kForm, int... kWidthsLessOne>
TileFunction of_width(std::int64_t width, std::integer_sequence<int, kWidthsLessOne...>) {
  static constexpr TileFunction kFunctions[] = {Tile<kVectors, kWidthsLessOne + 1, kStep, kForm>::run...};
  return kFunctions[width - 1];
}

template <int kStep, TileForm kForm>
TileFunction of_step(const TileShape& shape) {
  const std::make_integer_sequence<int, kWidest> widths;
  if constexpr (kForm == TileForm::depthwise) return of_width<1, kStep, kForm>(shape.width, widths);
  return shape.vectors == 1 ? of_width<1, kStep, kForm>(shape.width, widths)
                            : of_width<2, kStep, kForm>(shape.width, widths);
}

// Of plain rows.
TileFunction of_taps(const TileShape& shape) {
  switch (shape.step) {
    case 1:
      return of_step<1, TileForm::taps>(shape);
    case 2:
      return of_step<2, TileForm::taps>(shape);
    case 4:
      return of_step<4, TileForm::taps>(shape);
    default:
      return of_step<0, TileForm::taps>(shape);
  }
}

// Of blocks of channels, strides of 1 and 2.
TileFunction target_tile_function(const TileShape& shape) {
  if (shape.form == TileForm::taps) return of_taps(shape);
  if (shape.form == TileForm::depthwise)
    return shape.step == kLanes ? of_step<kLanes, TileForm::depthwise>(shape)
                                : of_step<0, TileForm::depthwise>(shape);
  switch (shape.step) {
    case kLanes:
      return of_step<kLanes, TileForm::channels>(shape);
    case 2 * kLanes:
      return of_step<2 * kLanes, TileForm::channels>(shape);
    default:
      return of_step<0, TileForm::channels>(shape);
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
