#include "convoy/kernels/cpu/conv_im2col_thin.h"

#include <algorithm>

#include "convoy/kernels/cpu/gemm.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

// Floats of the column matrix in one product: 256 KiB, to stay in the second cache.
constexpr std::int64_t kColumnFloats = 64 * 1024;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

ThinProduct::ThinProduct(ThinSpec spec)
    : spec_(std::move(spec)),
      lanes_(simd_lanes()),
      tile_(register_tile().rows),
      tiles_(ceil_div(spec_.lowering.pixels(), tile_)),
      depth_(spec_.channels * spec_.lowering.tap_count()) {
  const std::int64_t most = std::min<std::int64_t>(tiles_, 8 * spec_.threads);
  while (parts_ < most && spec_.images * parts_ % spec_.threads != 0 &&
         spec_.images * parts_ < 8 * spec_.threads)
    ++parts_;
  const std::int64_t mine = std::max<std::int64_t>(1, ceil_div(tiles_, parts_));
  chunk_ = spec_.whole_images ? mine : std::clamp<std::int64_t>(kColumnFloats / (depth_ * lanes_), 1, mine);
}

std::int64_t ThinProduct::scratch_count() const { return chunk_ * depth_ * lanes_; }

void ThinProduct::run_tiles(std::int64_t image, base::IndexRange tiles, const GatherOperands& operands,
                            float* scratch) const noexcept {
  const std::int64_t pixels = spec_.lowering.pixels(), plane = pixels * lanes_, panel = depth_ * lanes_;
  const ThinSource x{operands.source + image * spec_.image_stride, spec_.channel_stride, spec_.pixel_stride};
  for (std::int64_t t = tiles.begin; t < tiles.end; ++t)
    lower_pixels(spec_.lowering, x,
                 {.entries = depth_, .pixel = t * tile_, .pixels = std::min(tile_, pixels - t * tile_)},
                 scratch + (t - tiles.begin) * panel);
  const std::int64_t full = std::min(tiles.end, pixels / tile_) - tiles.begin;
  PanelProduct p{.segments = full,
                 .rows = tile_,
                 .panels = spec_.panels,
                 .depth = depth_,
                 .a = scratch,
                 .a_segment_stride = panel,
                 .a_block_stride = lanes_ * lanes_,
                 .b = operands.weights,
                 .b_panel_stride = panel,
                 .c = operands.target + image * spec_.panels * plane + tiles.begin * tile_ * lanes_,
                 .c_segment_stride = tile_ * lanes_,
                 .c_row_stride = lanes_,
                 .c_panel_stride = plane,
                 .bias = operands.bias,
                 .columns = spec_.bias_count,
                 .relu = spec_.relu};
  if (full > 0) multiply_panels_transposed(p);
  if (full == tiles.size()) return;
  p.a += full * panel;
  p.c += full * p.c_segment_stride;
  p.segments = 1;
  p.rows = pixels % tile_;
  multiply_panels_transposed(p);
}

void ThinProduct::run(const GatherOperands& operands, float* scratch) const noexcept {
  const std::int64_t count = spec_.images * parts_;
  const int team = static_cast<int>(std::min<std::int64_t>(count, spec_.threads));
  base::parallel_for(team, 1, [&](base::IndexRange members) {
    for (std::int64_t member = members.begin; member < members.end; ++member) {
      const auto units = base::split_range(count, team, static_cast<int>(member));
      for (std::int64_t unit = units.begin; unit < units.end; ++unit) {
        const auto tiles =
            base::split_range(tiles_, static_cast<int>(parts_), static_cast<int>(unit % parts_));
        for (std::int64_t tile = tiles.begin; tile < tiles.end; tile += chunk_)
          run_tiles(unit / parts_, {tile, std::min(tile + chunk_, tiles.end)}, operands,
                    scratch + member * scratch_count());
      }
    }
  });
}

}  // namespace convoy::kernels::cpu
