#include "convoy/kernels/cpu/conv_im2col_thin.h"

#include <algorithm>

#include "convoy/kernels/cpu/gemm.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

// Floats of the column matrix in one product: 256 KiB, to stay in the second cache.
constexpr std::int64_t kColumnFloats = 64 * 1024;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Parts of an image's rows, so that the threads get equal shares.
std::int64_t parts_of(const ThinSpec& spec) {
  std::int64_t parts = 1;
  const std::int64_t most = std::min<std::int64_t>(spec.lowering.grid_h, 8 * spec.threads);
  while (parts < most && spec.images * parts % spec.threads != 0 && spec.images * parts < 8 * spec.threads)
    ++parts;
  return parts;
}

// Grid rows that are lowered and multiplied together.
std::int64_t rows_of(const ThinSpec& spec) {
  const std::int64_t mine = ceil_div(spec.lowering.grid_h, parts_of(spec));
  const std::int64_t row = spec.lowering.grid_w * spec.channels * spec.lowering.tap_count();
  return spec.whole_images ? mine : std::clamp<std::int64_t>(kColumnFloats / row, 1, mine);
}

}  // namespace

ThinProduct::ThinProduct(ThinSpec spec)
    : spec_(std::move(spec)),
      lanes_(simd_lanes()),
      tile_(register_tile().rows),
      parts_(parts_of(spec_)),
      image_(spec_.lowering, spec_.channels, rows_of(spec_)) {}

// The copy, the column matrix, and a vector that its last entry may spill.
std::int64_t ThinProduct::scratch_count() const {
  const std::int64_t tiles = ceil_div(image_.rows() * spec_.lowering.grid_w, tile_);
  return image_.count() + (tiles * image_.entries() + 1) * lanes_;
}

void ThinProduct::run_rows(std::int64_t image, base::IndexRange rows, const GatherOperands& operands,
                           float* scratch) const noexcept {
  const std::int64_t width = spec_.lowering.grid_w, plane = spec_.lowering.pixels() * lanes_;
  const std::int64_t first = rows.begin * width, pixels = rows.size() * width,
                     panel = image_.entries() * lanes_;
  float* columns = scratch + image_.count();
  image_.fill({operands.source + image * spec_.image_stride, spec_.channel_stride, spec_.pixel_stride}, rows,
              scratch);
  for (std::int64_t pixel = 0; pixel < pixels; pixel += tile_)
    image_.lower(
        scratch, rows.begin,
        {.pixel = first + pixel, .pixels = std::min(tile_, pixels - pixel), .entries = image_.entries()},
        columns + pixel / tile_ * panel);
  PanelProduct p{.segments = pixels / tile_,
                 .rows = tile_,
                 .panels = spec_.panels,
                 .depth = image_.entries(),
                 .a = columns,
                 .a_segment_stride = panel,
                 .a_block_stride = lanes_ * lanes_,
                 .b = operands.weights,
                 .b_panel_stride = panel,
                 .c = operands.target + image * spec_.panels * plane + first * lanes_,
                 .c_segment_stride = tile_ * lanes_,
                 .c_row_stride = lanes_,
                 .c_panel_stride = plane,
                 .bias = operands.bias,
                 .columns = spec_.bias_count,
                 .relu = spec_.relu};
  if (p.segments > 0) multiply_panels_transposed(p);
  p.a += p.segments * panel;
  p.c += p.segments * p.c_segment_stride;
  p.segments = 1;
  p.rows = pixels % tile_;
  if (p.rows > 0) multiply_panels_transposed(p);
}

void ThinProduct::run(const GatherOperands& operands, float* scratch) const noexcept {
  const std::int64_t count = spec_.images * parts_, chunk = image_.rows();
  const int team = static_cast<int>(std::min<std::int64_t>(count, spec_.threads));
  base::parallel_for(team, 1, [&](base::IndexRange members) {
    for (std::int64_t member = members.begin; member < members.end; ++member) {
      const auto units = base::split_range(count, team, static_cast<int>(member));
      for (std::int64_t unit = units.begin; unit < units.end; ++unit) {
        const auto rows = base::split_range(spec_.lowering.grid_h, static_cast<int>(parts_),
                                            static_cast<int>(unit % parts_));
        for (std::int64_t row = rows.begin; row < rows.end; row += chunk)
          run_rows(unit / parts_, {row, std::min(row + chunk, rows.end)}, operands,
                   scratch + member * scratch_count());
      }
    }
  });
}

}  // namespace convoy::kernels::cpu
