#include "convoy/kernels/cpu/conv_lowering.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_lowering.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include <algorithm>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<float>;
constexpr std::int64_t kLanes = HWY_LANES(float);

// Grid columns [begin, end) whose source column lies inside.
struct Columns {
  std::int64_t begin = 0, end = 0;
};

HWY_INLINE Columns inner_columns(const Lowering& lowering, const Tap& tap) {
  const std::int64_t stride = lowering.stride_w;
  const auto first = [&](std::int64_t least) {  // grid column whose source column is at least `least`
    const std::int64_t gap = least - tap.column;
    return gap <= 0 ? 0 : (gap + stride - 1) / stride;
  };
  const std::int64_t begin = std::min(first(0), lowering.grid_w);
  return {begin, std::clamp(first(lowering.source_w), begin, lowering.grid_w)};
}

HWY_INLINE void clear(Tag d, float* to, std::int64_t pixels) {
  for (std::int64_t i = 0; i < pixels; ++i) hn::Store(hn::Zero(d), d, to + i * kLanes);
}

// Grid pixels [begin, end) of one grid row; `row` is the source row they meet, null outside.
HWY_INLINE void lower_row(const Lowering& lowering, const Tap& tap, const Columns& inner, const float* row,
                          Columns wanted, float* to) {
  const Tag d;
  if (row == nullptr) {
    clear(d, to, wanted.end - wanted.begin);
    return;
  }
  const std::int64_t begin = std::clamp(inner.begin, wanted.begin, wanted.end);
  const std::int64_t end = std::clamp(inner.end, begin, wanted.end);
  clear(d, to, begin - wanted.begin);
  const std::int64_t step = lowering.stride_w * kLanes;
  const float* from = row + (begin * lowering.stride_w + tap.column) * kLanes;
  float* out = to + (begin - wanted.begin) * kLanes;
  for (std::int64_t j = begin; j < end; ++j, from += step, out += kLanes)
    hn::Store(hn::Load(d, from), d, out);
  clear(d, out, wanted.end - end);
}

void lower_blocks_here(const Lowering& lowering, const float* source, const ColumnPiece& piece, float* to) {
  const std::int64_t taps = lowering.tap_count(), width = lowering.grid_w;
  for (std::int64_t e = piece.entry; e < piece.entry + piece.entries; ++e, to += piece.stride) {
    const Tap& tap = lowering.taps[static_cast<std::size_t>(e % taps)];
    const float* image = source + e / taps * lowering.source_pixels() * kLanes;
    const Columns inner = inner_columns(lowering, tap);
    float* out = to;
    for (std::int64_t pixel = piece.pixel; pixel < piece.pixel + piece.pixels;) {
      const std::int64_t i = pixel / width, begin = pixel % width;
      const std::int64_t count = std::min(width - begin, piece.pixel + piece.pixels - pixel);
      const std::int64_t row = i * lowering.stride_h + tap.row;
      const bool inside = row >= 0 && row < lowering.source_h;
      lower_row(lowering, tap, inner, inside ? image + row * lowering.source_w * kLanes : nullptr,
                {begin, begin + count}, out);
      out += count * kLanes;
      pixel += count;
    }
  }
}

void raise_block_here(const Lowering& lowering, const float* column, std::int64_t stride, float* source) {
  const Tag d;
  clear(d, source, lowering.source_pixels());
  for (const Tap& tap : lowering.taps) {
    const Columns inner = inner_columns(lowering, tap);
    for (std::int64_t i = 0; i < lowering.grid_h; ++i) {
      const std::int64_t row = i * lowering.stride_h + tap.row;
      if (row < 0 || row >= lowering.source_h) continue;
      const float* from = column + (i * lowering.grid_w + inner.begin) * kLanes;
      float* to = source + (row * lowering.source_w + inner.begin * lowering.stride_w + tap.column) * kLanes;
      for (std::int64_t j = inner.begin; j < inner.end; ++j) {
        hn::Store(hn::Add(hn::Load(d, to), hn::Load(d, from)), d, to);
        from += kLanes;
        to += lowering.stride_w * kLanes;
      }
    }
    column += stride;
  }
}
#else
void lower_blocks_here(const Lowering&, const float*, const ColumnPiece&, float*) { HWY_ABORT("needs AVX2"); }
void raise_block_here(const Lowering&, const float*, std::int64_t, float*) { HWY_ABORT("needs AVX2"); }
#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(lower_blocks_here);
HWY_EXPORT(raise_block_here);

}  // namespace

bool Lowering::is_identity() const {
  return taps.size() == 1 && taps[0].row == 0 && taps[0].column == 0 && stride_h == 1 && stride_w == 1 &&
         source_w == grid_w && source_h >= grid_h;
}

void lower_blocks(const Lowering& lowering, const float* source, const ColumnPiece& piece,
                  float* to) noexcept {
  HWY_DYNAMIC_DISPATCH(lower_blocks_here)(lowering, source, piece, to);
}

void raise_block(const Lowering& lowering, const float* column, std::int64_t stride, float* source) noexcept {
  HWY_DYNAMIC_DISPATCH(raise_block_here)(lowering, column, stride, source);
}

}  // namespace convoy::kernels::cpu
#endif
