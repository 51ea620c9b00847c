#include "convoy/kernels/cpu/gemm_skinny.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/gemm_skinny.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include <algorithm>
#include <array>
#include <utility>

#include "convoy/kernels/cpu/gemm-inl.h"
#include "hwy/highway.h"

#ifndef CONVOY_KERNELS_CPU_GEMM_SKINNY
#define CONVOY_KERNELS_CPU_GEMM_SKINNY
namespace convoy::kernels::cpu {

// Columns [begin, end) of the product.
struct SkinnyPart {
  const Gemm* gemm = nullptr;
  std::int64_t begin = 0, end = 0;
  float* scratch = nullptr;
};

// Steps of B's rows at a time: pages that the first translation buffer holds.
inline constexpr std::int64_t kSkinnySteps = 64;
// Steps of dot products at a time: 8 rows of A take 64 KiB, copied with a stride that is no multiple of a
// page, so that they do not fight for the same lines of the first cache.
inline constexpr std::int64_t kDotSteps = 2048;
inline constexpr std::int64_t kDotStride = kDotSteps + 16;

}  // namespace convoy::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

// Rows of A for one tile: a[t * kRows + i].
struct SkinnyTile {
  const float* a;
  const float* b;
  std::int64_t b_stride;
  float* c;
  std::int64_t c_stride;
  std::int64_t steps;
  bool accumulate;
};

template <int kRows>
HWY_NOINLINE void skinny_pair(const SkinnyTile& tile) {
  const PanelTag d;
  constexpr std::int64_t kAhead = 4 * kPanelLanes;
  PanelVec sums[kRows][2];
  CONVOY_UNROLL for (int i = 0; i < kRows; ++i) sums[i][0] = sums[i][1] = hn::Zero(d);
  const float *a = tile.a, *b = tile.b;
  for (std::int64_t t = 0; t < tile.steps; ++t, a += kRows, b += tile.b_stride) {
    const PanelVec left = hn::LoadU(d, b), right = hn::LoadU(d, b + kPanelLanes);
    __builtin_prefetch(b + kAhead, 0, 3);
    __builtin_prefetch(b + kAhead + kPanelLanes, 0, 3);
    CONVOY_UNROLL for (int i = 0; i < kRows; ++i) {
      const PanelVec element = hn::Set(d, a[i]);
      sums[i][0] = hn::MulAdd(element, left, sums[i][0]);
      sums[i][1] = hn::MulAdd(element, right, sums[i][1]);
    }
  }
  CONVOY_UNROLL for (int i = 0; i < kRows; ++i) {
    float* c = tile.c + i * tile.c_stride;
    if (tile.accumulate) {
      sums[i][0] = hn::Add(sums[i][0], hn::LoadU(d, c));
      sums[i][1] = hn::Add(sums[i][1], hn::LoadU(d, c + kPanelLanes));
    }
    hn::StoreU(sums[i][0], d, c);
    hn::StoreU(sums[i][1], d, c + kPanelLanes);
  }
}

template <int... kRows>
constexpr auto skinny_pairs(std::integer_sequence<int, kRows...>) {
  return std::array<void (*)(const SkinnyTile&), sizeof...(kRows)>{skinny_pair<kRows + 1>...};
}

// Columns [begin, end) one by one: fewer than a pair of vectors.
void skinny_columns(const Gemm& g, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = 0; i < g.m; ++i)
    for (std::int64_t j = begin; j < end; ++j) {
      float sum = g.accumulate ? g.c[i * g.c_stride + j] : 0.0F;
      for (std::int64_t t = 0; t < g.k; ++t)
        sum += g.a[g.a_transposed ? t * g.a_stride + i : i * g.a_stride + t] * g.b[t * g.b_stride + j];
      g.c[i * g.c_stride + j] = sum;
    }
}

void multiply_rows(const SkinnyPart& part) {
  static constexpr auto kPairs = skinny_pairs(std::make_integer_sequence<int, kTileRows>{});
  const Gemm& g = *part.gemm;
  const std::int64_t pairs = (part.end - part.begin) / (2 * kPanelLanes);
  const std::int64_t tiles = (g.m + kTileRows - 1) / kTileRows;
  for (std::int64_t step = 0; step < g.k; step += kSkinnySteps) {
    const std::int64_t steps = std::min(kSkinnySteps, g.k - step);
    float* packed = part.scratch;
    for (std::int64_t tile = 0, row = 0; tile < tiles; ++tile) {
      const std::int64_t rows = tile_rows(g.m, row, tiles, tile);
      for (std::int64_t t = step; t < step + steps; ++t)
        for (std::int64_t i = row; i < row + rows; ++i)
          *packed++ = g.a[g.a_transposed ? t * g.a_stride + i : i * g.a_stride + t];
      row += rows;
    }
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      const std::int64_t column = part.begin + pair * 2 * kPanelLanes;
      const float* a = part.scratch;
      for (std::int64_t tile = 0, row = 0; tile < tiles; ++tile) {
        const std::int64_t rows = tile_rows(g.m, row, tiles, tile);
        kPairs[static_cast<std::size_t>(rows - 1)]({a, g.b + step * g.b_stride + column, g.b_stride,
                                                    g.c + row * g.c_stride + column, g.c_stride, steps,
                                                    g.accumulate || step > 0});
        a += rows * steps;
        row += rows;
      }
    }
  }
  skinny_columns(g, part.begin + pairs * 2 * kPanelLanes, part.end);
}

// Dot products of kRows rows of A with kColumns rows of B over `steps` steps.
template <int kRows, int kColumns>
HWY_NOINLINE void dots(const Gemm& g, const float* a, const float* b, float* c, std::int64_t steps,
                       bool accumulate) {
  const PanelTag d;
  PanelVec sums[kRows][kColumns];
  CONVOY_UNROLL for (int i = 0; i < kRows; ++i) CONVOY_UNROLL for (int j = 0; j < kColumns; ++j) sums[i][j] =
      hn::Zero(d);
  const auto add = [&](std::int64_t t, auto load) HWY_ATTR {
    PanelVec column[kColumns];
    CONVOY_UNROLL for (int j = 0; j < kColumns; ++j) column[j] = load(b + j * g.b_stride + t);
    CONVOY_UNROLL for (int i = 0; i < kRows; ++i) {
      const PanelVec row = load(a + i * kDotStride + t);
      CONVOY_UNROLL for (int j = 0; j < kColumns; ++j) sums[i][j] = hn::MulAdd(row, column[j], sums[i][j]);
    }
  };
  std::int64_t t = 0;
  for (; t + kPanelLanes <= steps; t += kPanelLanes) {
    CONVOY_UNROLL for (int j = 0; j < kColumns; ++j)
        __builtin_prefetch(b + (j + kColumns) * g.b_stride + t, 0, 3);
    add(t, [&](const float* from) HWY_ATTR { return hn::LoadU(d, from); });
  }
  if (t < steps) {
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(steps - t));
    add(t, [&](const float* from) HWY_ATTR { return hn::MaskedLoad(mask, d, from); });
  }
  CONVOY_UNROLL for (int i = 0; i < kRows; ++i) CONVOY_UNROLL for (int j = 0; j < kColumns; ++j) {
    const float sum = hn::GetLane(hn::SumOfLanes(d, sums[i][j]));
    float& target = c[i * g.c_stride + j];
    target = accumulate ? target + sum : sum;
  }
}

// 8 x 3 sums, 3 columns and a row with 32 registers; 3 x 3, 3 and 1 with 16.
constexpr int kDotRows = kPanelLanes == 16 ? 8 : 3;
constexpr int kDotColumns = 3;
using DotFunction = void (*)(const Gemm&, const float*, const float*, float*, std::int64_t, bool);

template <int kColumns, int... kRows>
constexpr std::array<DotFunction, sizeof...(kRows)> dot_functions(std::integer_sequence<int, kRows...>) {
  return {dots<kRows + 1, kColumns>...};
}

void multiply_dots(const SkinnyPart& part) {
  constexpr auto kSequence = std::make_integer_sequence<int, kDotRows>{};
  static constexpr auto kThree = dot_functions<kDotColumns>(kSequence);
  static constexpr auto kOne = dot_functions<1>(kSequence);
  const Gemm& g = *part.gemm;
  for (std::int64_t step = 0; step < g.k; step += kDotSteps) {
    const std::int64_t steps = std::min(kDotSteps, g.k - step);
    for (std::int64_t row = 0; row < g.m; ++row)
      std::copy_n(g.a + row * g.a_stride + step, steps, part.scratch + row * kDotStride);
    for (std::int64_t column = part.begin; column < part.end;) {
      const bool is_three = column + kDotColumns <= part.end;
      for (std::int64_t row = 0; row < g.m; row += kDotRows) {
        const auto rows = static_cast<std::size_t>(std::min<std::int64_t>(kDotRows, g.m - row));
        (is_three ? kThree : kOne)[rows - 1](
            g, part.scratch + row * kDotStride, g.b + column * g.b_stride + step,
            g.c + row * g.c_stride + column, steps, g.accumulate || step > 0);
      }
      column += is_three ? kDotColumns : 1;
    }
  }
}

void multiply_skinny_here(const SkinnyPart& part) {
  if (part.gemm->b_transposed)
    multiply_dots(part);
  else
    multiply_rows(part);
}
#else
void multiply_skinny_here(const SkinnyPart&) { HWY_ABORT("needs AVX2"); }
#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(multiply_skinny_here);

// Measured at 4096 columns and 9216 steps: from more rows on, packing pays.
constexpr std::int64_t kSkinnyRows = 48;

}  // namespace

bool is_skinny(const Gemm& g) { return g.m <= kSkinnyRows && !(g.a_transposed && g.b_transposed); }

std::int64_t skinny_scratch_count(const Gemm& g) {
  return g.m * (g.b_transposed ? kDotStride : kSkinnySteps);
}

void multiply_skinny(const Gemm& g, std::int64_t begin, std::int64_t end, float* scratch) noexcept {
  HWY_DYNAMIC_DISPATCH(multiply_skinny_here)({&g, begin, end, scratch});
}

}  // namespace convoy::kernels::cpu
#endif
