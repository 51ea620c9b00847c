// The four passes of a 2-D transform for every number of points.
#include "convoy/kernels/cpu/fft.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/fft.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/fft-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

// Asks for what the next call or turn will touch: steps between frequencies are too long for the processor to
// guess.
template <int kVectors>
HWY_INLINE void prefetch_lines(const float* at) {
  for (int i = 0; i < kVectors * kLanes; i += 16) __builtin_prefetch(at + i);
}

// Two real rows a and b, transformed as z = a + i b: A = Z[v] + conj Z[-v], B = -i (Z[v] - conj Z[-v]), both
// doubled.
template <int kN>
HWY_INLINE void split_pair(const float* z, int v, float* to) {
  const F d;
  const float *p = z + 2 * kLanes * v, *m = z + 2 * kLanes * (v == 0 ? 0 : kN - v);
  const V pr = hn::Load(d, p), pi = hn::Load(d, p + kLanes);
  const V mr = hn::Load(d, m), mi = hn::Load(d, m + kLanes);
  hn::Store(hn::Add(pr, mr), d, to);
  hn::Store(hn::Sub(pi, mi), d, to + kLanes);
  hn::Store(hn::Add(pi, mi), d, to + 2 * kLanes);
  hn::Store(hn::Sub(mr, pr), d, to + 3 * kLanes);
}

// Rows `row` and, if there is one, the next, to z.
template <int kA, int kB>
HWY_INLINE void transform_pair(const FftRows& rows, int row, const float* zero, float* z, float* scratch) {
  const F d;
  const bool paired = row + 1 < rows.rows;
  const auto columns = static_cast<unsigned>(rows.columns);
  const float* a = rows.x + row * rows.row_step;
  const float* b = paired ? a + rows.row_step : zero;
  const std::int64_t a_step = rows.column_step, b_step = paired ? a_step : 0;
  const auto load = [&](int i, V& re, V& im) HWY_ATTR {
    const int column = i - rows.first_column;
    const bool given = static_cast<unsigned>(column) < columns;
    re = given ? hn::Load(d, a + column * a_step) : hn::Zero(d);
    im = given ? hn::Load(d, b + column * b_step) : hn::Zero(d);
  };
  const auto store = [&](int k, V re, V im) HWY_ATTR {
    hn::Store(re, d, z + 2 * kLanes * k);
    hn::Store(im, d, z + 2 * kLanes * k + kLanes);
  };
  LongDft<kA, kB, decltype(load), decltype(store)>{load, store, scratch}.run();
}

// Two pairs of rows at a time, so that each far frequency is visited half as often.
template <int kA, int kB>
void rows_forward(const FftRows& rows) {
  constexpr int kN = kA * kB, kPair = 4 * kLanes;
  const F d;
  HWY_ALIGN float z[4 * kN * kLanes], scratch[2 * kN * kLanes], zero[kLanes];
  hn::Store(hn::Zero(d), d, zero);
  for (int row = 0; row < rows.rows; row += 4) {
    const bool two = row + 2 < rows.rows;
    transform_pair<kA, kB>(rows, row, zero, z, scratch);
    if (two) transform_pair<kA, kB>(rows, row + 2, zero, z + 2 * kN * kLanes, scratch);
    float* to = rows.spectra + row * 2 * kLanes;
    for (int v = 0; v <= kN / 2; ++v, to += rows.frequency_step) {
      split_pair<kN>(z, v, to);
      if (two) split_pair<kN>(z + 2 * kN * kLanes, v, to + kPair);
      prefetch_lines<8>(to + 2 * kPair);
    }
  }
}

template <int kA, int kB>
void column_forward(const FftColumn& column) {
  const F d;
  HWY_ALIGN float scratch[2 * kA * kB * kLanes];
  const auto rows = static_cast<unsigned>(column.rows);
  const auto load = [&](int i, V& re, V& im) HWY_ATTR {
    const int row = i - column.first_row;
    const bool given = static_cast<unsigned>(row) < rows;
    const float* from = column.column + row * 2 * kLanes;
    re = given ? hn::Load(d, from) : hn::Zero(d);
    im = given ? hn::Load(d, from + kLanes) : hn::Zero(d);
  };
  const auto store = [&](int k, V re, V im) HWY_ATTR {
    float* to = column.spectrum + k * column.frequency_step;
    hn::Store(re, d, to);
    hn::Store(im, d, to + kLanes);
    prefetch_lines<2>(to + 2 * kLanes);
  };
  LongDft<kA, kB, decltype(load), decltype(store)>{load, store, scratch}.run();
}

// The inverse is the forward transform with real and imaginary parts exchanged on both ends.
template <int kA, int kB>
void column_inverse(const InverseFftColumn& column) {
  const F d;
  HWY_ALIGN float scratch[2 * kA * kB * kLanes];
  const auto load = [&](int i, V& re, V& im) HWY_ATTR {
    const float* from = column.spectrum + i * column.frequency_step;
    im = hn::Load(d, from);
    re = hn::Load(d, from + kLanes);
    prefetch_lines<2>(from + 2 * kLanes);
  };
  const auto store = [&](int k, V re, V im) HWY_ATTR {
    if (k >= column.rows) return;
    float* to = column.column + k * 2 * kLanes;
    if (column.accumulate) {
      im = hn::Add(im, hn::Load(d, to));
      re = hn::Add(re, hn::Load(d, to + kLanes));
    }
    hn::Store(im, d, to);
    hn::Store(re, d, to + kLanes);
  };
  LongDft<kA, kB, decltype(load), decltype(store)>{load, store, scratch}.run();
}

template <int kA, int kB>
void rows_inverse(const InverseFftRows& rows) {
  constexpr int kN = kA * kB;
  const F d;
  HWY_ALIGN float scratch[2 * kN * kLanes];
  const V scale = hn::Set(d, rows.scale);
  const V bias = rows.bias == nullptr ? hn::Zero(d) : hn::LoadU(d, rows.bias);
  const V floor = hn::Set(d, rows.relu ? 0.0F : -hwy::HighestValue<float>());
  for (int row = 0; row < rows.rows; row += 2) {
    const float* spectra = rows.spectra + row * 2 * kLanes;
    float* y = rows.y + row * rows.row_step;
    const bool paired = row + 1 < rows.rows;
    const auto load = [&](int i, V& re, V& im) HWY_ATTR {
      const bool mirrored = i > kN / 2;
      const float* from = spectra + (mirrored ? kN - i : i) * rows.frequency_step;
      const V ar = hn::Load(d, from), ai = hn::Load(d, from + kLanes);
      const V br = hn::Load(d, from + 2 * kLanes), bi = hn::Load(d, from + 3 * kLanes);
      if (!mirrored) prefetch_lines<4>(from + 4 * kLanes);
      im = mirrored ? hn::Add(ar, bi) : hn::Sub(ar, bi);
      re = mirrored ? hn::Sub(br, ai) : hn::Add(br, ai);
    };
    const auto store = [&](int k, V re, V im) HWY_ATTR {
      if (k >= rows.columns) return;
      float* to = y + k * rows.column_step;
      const V first = hn::Max(hn::MulAdd(im, scale, bias), floor);
      const V second = hn::Max(hn::MulAdd(re, scale, bias), floor);
      if (rows.stream) {
        hn::Stream(first, d, to);
        if (paired) hn::Stream(second, d, to + rows.row_step);
        return;
      }
      hn::Store(first, d, to);
      if (paired) hn::Store(second, d, to + rows.row_step);
    };
    LongDft<kA, kB, decltype(load), decltype(store)>{load, store, scratch}.run();
  }
  if (rows.stream) hwy::FlushStream();
}

template <int kA, int kB>
constexpr FftPasses passes() {
  return {kA * kB, rows_forward<kA, kB>, column_forward<kA, kB>, column_inverse<kA, kB>,
          rows_inverse<kA, kB>};
}

constexpr FftPasses kPasses[] = {
    passes<8, 1>(),  passes<7, 2>(),  passes<9, 2>(),  passes<6, 5>(),  passes<11, 4>(), passes<9, 6>(),
    passes<11, 6>(), passes<10, 1>(), passes<12, 1>(), passes<4, 4>(),  passes<5, 4>(),  passes<6, 4>(),
    passes<7, 4>(),  passes<8, 4>(),  passes<6, 6>(),  passes<8, 5>(),  passes<8, 6>(),  passes<8, 7>(),
    passes<10, 6>(), passes<8, 8>(),  passes<9, 8>(),  passes<10, 8>(), passes<11, 8>(), passes<12, 8>()};

const FftPasses* find_passes(int points) {
  for (const FftPasses& passes : kPasses)
    if (passes.points == points) return &passes;
  return nullptr;
}

#else

const FftPasses* find_passes(int) { return nullptr; }

#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cmath>

#include "convoy/base/check.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {

HWY_EXPORT(find_passes);

namespace {
constexpr int kSizes[] = {8,  10, 12, 14, 16, 18, 20, 24, 28, 30, 32, 36,
                          40, 44, 48, 54, 56, 60, 64, 66, 72, 80, 88, 96};
}

std::span<const int> fft_sizes() { return kSizes; }

const FftPasses* find_fft(int points) { return HWY_DYNAMIC_DISPATCH(find_passes)(points); }

RealFft2d::RealFft2d(int rows, int columns)
    : rows_(find_fft(columns)), columns_(find_fft(rows)), lanes_(simd_lanes()) {
  CONVOY_CHECK(rows_ != nullptr && columns_ != nullptr, "no transform of ", rows, " x ", columns, " points");
}

std::int64_t RealFft2d::tile_floats() const { return lanes_ * rows_->points * columns_->points; }
std::int64_t RealFft2d::spectrum_floats() const {
  return 2 * lanes_ * columns_->points * (rows_->points / 2 + 1);
}
std::int64_t RealFft2d::scratch_floats() const { return spectrum_floats(); }

double RealFft2d::nominal_flops() const {
  const double points = static_cast<double>(columns_->points) * rows_->points;
  return 2.5 * points * std::log2(points) * static_cast<double>(lanes_);
}

void RealFft2d::forward(const float* tiles, std::int64_t batch, float* spectra,
                        float* scratch) const noexcept {
  const std::int64_t step = 2 * lanes_ * columns_->points;
  for (std::int64_t t = 0; t < batch; ++t) {
    rows_->rows_forward({.x = tiles + t * tile_floats(),
                         .row_step = lanes_ * rows_->points,
                         .column_step = lanes_,
                         .rows = columns_->points,
                         .columns = rows_->points,
                         .spectra = scratch,
                         .frequency_step = step});
    for (int v = 0; v <= rows_->points / 2; ++v)
      columns_->column_forward({.column = scratch + v * step,
                                .rows = columns_->points,
                                .spectrum = spectra + t * spectrum_floats() + v * step,
                                .frequency_step = 2 * lanes_});
  }
}

void RealFft2d::inverse(const float* spectra, std::int64_t batch, float* tiles,
                        float* scratch) const noexcept {
  const std::int64_t step = 2 * lanes_ * columns_->points;
  for (std::int64_t t = 0; t < batch; ++t) {
    for (int v = 0; v <= rows_->points / 2; ++v)
      columns_->column_inverse({.spectrum = spectra + t * spectrum_floats() + v * step,
                                .frequency_step = 2 * lanes_,
                                .column = scratch + v * step,
                                .rows = columns_->points});
    rows_->rows_inverse({.spectra = scratch,
                         .frequency_step = step,
                         .y = tiles + t * tile_floats(),
                         .row_step = lanes_ * rows_->points,
                         .column_step = lanes_,
                         .rows = columns_->points,
                         .columns = rows_->points,
                         .scale = 0.5F / static_cast<float>(rows_->points * columns_->points)});
  }
}

}  // namespace convoy::kernels::cpu
#endif
