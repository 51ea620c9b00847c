#include "convoy/kernels/cpu/conv_im2col_raise.h"

#include <algorithm>

#include "convoy/kernels/cpu/gemm.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

// Steps and pixels of one product: 384 KiB of dy at 16 lanes, to stay in the second cache.
constexpr std::int64_t kDepth = 256;
constexpr std::int64_t kPixels = 384;

}  // namespace

RaiseProduct::RaiseProduct(RaiseSpec spec) : spec_(std::move(spec)), lanes_(simd_lanes()) {
  for (std::int64_t block = 0; block < spec_.y_blocks; ++block)
    weight_blocks_.push_back(block * spec_.lowering.tap_count() * lanes_ * lanes_);
}

std::int64_t RaiseProduct::scratch_count() const {
  return spec_.lowering.tap_count() * spec_.lowering.pixels() * lanes_;
}

void RaiseProduct::run_block(std::int64_t index, const GatherOperands& operands,
                             float* scratch) const noexcept {
  const std::int64_t taps = spec_.lowering.tap_count(), pixels = spec_.lowering.pixels(),
                     plane = pixels * lanes_;
  const std::int64_t block = index % (spec_.groups * spec_.x_blocks),
                     image = index / (spec_.groups * spec_.x_blocks);
  const std::int64_t group = block / spec_.x_blocks;
  const float* dy = operands.source + (image * spec_.groups + group) * spec_.y_blocks * plane;
  PanelProduct p{.panels = taps,
                 .a_block_stride = plane,
                 .b = operands.weights + block * spec_.y_blocks * taps * lanes_ * lanes_,
                 .b_panel_stride = lanes_ * lanes_,
                 .c_row_stride = lanes_,
                 .c_panel_stride = plane};
  const std::int64_t chunk = kDepth / lanes_;
  for (std::int64_t pixel = 0; pixel < pixels; pixel += kPixels)
    for (std::int64_t first = 0; first < spec_.y_blocks; first += chunk) {
      p.rows = std::min(kPixels, pixels - pixel);
      p.depth = std::min(chunk, spec_.y_blocks - first) * lanes_;
      p.a = dy + first * plane + pixel * lanes_;
      p.b_blocks = weight_blocks_.data() + first;
      p.c = scratch + pixel * lanes_;
      p.accumulate = first > 0;
      multiply_panels(p);
    }
  raise_block(spec_.lowering, scratch, plane,
              operands.target + index * spec_.lowering.source_pixels() * lanes_);
}

void RaiseProduct::run(const GatherOperands& operands, float* scratch) const noexcept {
  const std::int64_t count = spec_.images * spec_.groups * spec_.x_blocks;
  const int parts = static_cast<int>(std::min<std::int64_t>(count, spec_.threads));
  base::parallel_for(parts, 1, [&](base::IndexRange range) {
    for (std::int64_t part = range.begin; part < range.end; ++part) {
      const auto blocks = base::split_range(count, parts, static_cast<int>(part));
      for (std::int64_t block = blocks.begin; block < blocks.end; ++block)
        run_block(block, operands, scratch + part * scratch_count());
    }
  });
}

}  // namespace convoy::kernels::cpu
