#include "convoy/kernels/cpu/conv_thin_image.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_thin_image.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "hwy/highway.h"

#ifndef CONVOY_KERNELS_CPU_CONV_THIN_IMAGE
#define CONVOY_KERNELS_CPU_CONV_THIN_IMAGE
namespace convoy::kernels::cpu {

// Lanes [lane, L) of every entry, loaded from `from` + its place.
struct LaneRun {
  const float* from = nullptr;
  std::int64_t lane = 0;
};

struct LaneRuns {
  const LaneRun* runs = nullptr;
  int count = 0;
  const std::int64_t* places = nullptr;
  std::int64_t entries = 0;
};

}  // namespace convoy::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2
namespace hn = hwy::HWY_NAMESPACE;

// Whole vectors, each over the end of the one before, entries ascending: what spills over is overwritten.
void store_runs(const LaneRuns& all, float* to) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const float* first = all.runs[0].from;
  if (all.count == 1) {
    for (std::int64_t e = 0; e < all.entries; ++e)
      hn::StoreU(hn::LoadU(d, first + all.places[e]), d, to + e * lanes);
    return;
  }
  for (std::int64_t e = 0; e < all.entries; ++e) {
    const std::int64_t place = all.places[e];
    float* entry = to + e * lanes;
    hn::StoreU(hn::LoadU(d, first + place), d, entry);
    for (int r = 1; r < all.count; ++r)
      hn::StoreU(hn::LoadU(d, all.runs[r].from + place), d, entry + all.runs[r].lane);
  }
}
#else
void store_runs(const LaneRuns&, float*) { HWY_ABORT("needs AVX2"); }
#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(store_runs);

constexpr int kMaxLanes = 16;

}  // namespace

ThinImage::ThinImage(Lowering lowering, std::int64_t channels, std::int64_t rows)
    : lowering_(std::move(lowering)), channels_(channels), rows_(rows) {
  const auto [top, bottom] = std::minmax_element(lowering_.taps.begin(), lowering_.taps.end(),
                                                 [](const Tap& a, const Tap& b) { return a.row < b.row; });
  const auto [left, right] =
      std::minmax_element(lowering_.taps.begin(), lowering_.taps.end(),
                          [](const Tap& a, const Tap& b) { return a.column < b.column; });
  first_row_ = top->row;
  first_column_ = left->column;
  copied_rows_ = (rows_ - 1) * lowering_.stride_h + bottom->row - first_row_ + 1;
  // A vector that begins at a row's last pixel stays in the row.
  width_ = lowering_.grid_w + (right->column - first_column_) / lowering_.stride_w + simd_lanes();
  const std::int64_t stride = lowering_.stride_w;
  for (std::int64_t c = 0; c < channels_; ++c)
    for (const Tap& tap : lowering_.taps) {
      const std::int64_t row = c * copied_rows_ + tap.row - first_row_, column = tap.column - first_column_;
      places_.push_back((row * stride + column % stride) * width_ + column / stride);
    }
}

std::int64_t ThinImage::count() const {
  const std::int64_t floats = channels_ * copied_rows_ * lowering_.stride_w * width_;
  return (floats + simd_lanes() - 1) / simd_lanes() * simd_lanes();
}

void ThinImage::fill_row(const float* source, std::int64_t pixel_stride, float* to) const noexcept {
  const std::int64_t stride = lowering_.stride_w;
  for (std::int64_t remainder = 0; remainder < stride; ++remainder, to += width_) {
    // Source column of place i is first + i * stride.
    const std::int64_t first = first_column_ + remainder;
    const std::int64_t begin = std::min(width_, first >= 0 ? 0 : (-first + stride - 1) / stride);
    const std::int64_t left = lowering_.source_w - first;
    const std::int64_t end = std::clamp(left <= 0 ? 0 : (left + stride - 1) / stride, begin, width_);
    std::fill_n(to, begin, 0.0F);
    const float* from = source + (first + begin * stride) * pixel_stride;
    if (stride * pixel_stride == 1)
      std::copy_n(from, end - begin, to + begin);
    else
      for (std::int64_t i = begin; i < end; ++i, from += stride * pixel_stride) to[i] = *from;
    std::fill(to + end, to + width_, 0.0F);
  }
}

void ThinImage::fill(const ThinSource& source, base::IndexRange rows, float* copy) const noexcept {
  const std::int64_t stride = lowering_.stride_w, top = rows.begin * lowering_.stride_h + first_row_;
  const std::int64_t used = copied_rows_ - (rows_ - rows.size()) * lowering_.stride_h;
  for (std::int64_t c = 0; c < channels_; ++c)
    for (std::int64_t i = 0; i < used; ++i) {
      float* to = copy + (c * copied_rows_ + i) * stride * width_;
      const std::int64_t row = top + i;
      if (row < 0 || row >= lowering_.source_h)
        std::fill_n(to, stride * width_, 0.0F);
      else
        fill_row(source.data + c * source.channel_stride + row * lowering_.source_w * source.pixel_stride,
                 source.pixel_stride, to);
    }
}

void ThinImage::lower(const float* copy, std::int64_t first_row, const ThinPiece& piece,
                      float* to) const noexcept {
  LaneRun runs[kMaxLanes];
  int count = 0;
  for (std::int64_t lane = 0; lane < piece.pixels; ++count) {
    const std::int64_t pixel = piece.pixel + lane;
    const std::int64_t row = pixel / lowering_.grid_w - first_row, column = pixel % lowering_.grid_w;
    runs[count] = {copy + row * lowering_.stride_h * lowering_.stride_w * width_ + column, lane};
    lane += lowering_.grid_w - column;
  }
  HWY_DYNAMIC_DISPATCH(store_runs)({runs, count, places_.data() + piece.entry, piece.entries}, to);
}

}  // namespace convoy::kernels::cpu
#endif
