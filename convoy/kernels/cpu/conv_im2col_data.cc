#include "convoy/kernels/cpu/conv_im2col_data.h"

#include <algorithm>

#include "convoy/kernels/cpu/gemm.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

// Steps of one chunk of the depth. A pair of panels takes 32 KiB at 16 lanes.
constexpr std::int64_t kDepth = 256;
// Floats of a unit's part of the column matrix: 384 KiB, to stay in the second cache.
constexpr std::int64_t kColumnFloats = 96 * 1024;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

// Images, rows and panels that one unit multiplies.
struct GatherProduct::Unit {
  std::int64_t group = 0;
  base::IndexRange images, rows, panels;
};

GatherProduct::GatherProduct(GatherSpec spec)
    : spec_(std::move(spec)), lanes_(simd_lanes()), is_identity_(spec_.lowering.is_identity()) {
  const Lowering& l = spec_.lowering;
  is_contiguous_ = spec_.target_stride_h == 1 && spec_.target_stride_w == 1 && spec_.target_w == l.grid_w &&
                   spec_.target_h == l.grid_h;
  source_blocks_ = ceil_div(spec_.source_channels, lanes_);
  entries_ = source_blocks_ * l.tap_count();
  // With more taps than one, the last block's padding is not at the end but behind each of them.
  if (l.tap_count() == 1) idle_steps_ = source_blocks_ * lanes_ - spec_.source_channels;
  chunk_ =
      std::clamp<std::int64_t>(kDepth / lanes_, 1, std::max({entries_, spec_.cut_entries, std::int64_t{1}}));
  rows_ = is_contiguous_ ? l.pixels() : l.grid_h;
  row_grain_ = is_contiguous_ ? register_tile().rows : 1;
  cut();
}

// Large images are cut so that a chunk of a unit's column matrix stays in the second cache; small ones are
// taken together, so that the weights are read once for all of them. Then rows and panels are cut further,
// until the threads get equal shares.
void GatherProduct::cut() {
  const std::int64_t pixels = std::max<std::int64_t>(
      1, spec_.cut_rows > 0 ? spec_.cut_rows * spec_.cut_columns : spec_.lowering.pixels());
  const std::int64_t room = std::max<std::int64_t>(row_grain_, kColumnFloats / (chunk_ * lanes_));
  const std::int64_t rows = spec_.cut_rows > 0 && !is_contiguous_ ? spec_.cut_rows : rows_;
  const std::int64_t tiles = std::max<std::int64_t>(1, ceil_div(rows, row_grain_));
  std::int64_t together = 1;
  if (is_contiguous_ && !spec_.whole_images) {
    together = std::clamp<std::int64_t>(room / pixels, 1, spec_.images);
    together = std::clamp<std::int64_t>(spec_.images * spec_.groups / spec_.threads, 1, together);
  }
  image_parts_ = ceil_div(spec_.images, together);
  const std::int64_t images = spec_.groups * image_parts_;
  row_parts_ = spec_.whole_images ? 1 : std::clamp<std::int64_t>(ceil_div(pixels, room), 1, tiles);
  const auto is_even = [&](std::int64_t units) {
    return units >= 8 * spec_.threads || units % spec_.threads == 0;
  };
  const std::int64_t most = std::min(tiles, row_parts_ + spec_.threads);
  for (std::int64_t parts = row_parts_; parts <= most && !is_even(images * row_parts_); ++parts)
    if (is_even(images * parts)) row_parts_ = parts;
  const std::int64_t pairs = ceil_div(spec_.target_panels, register_tile().panels);
  if (images * row_parts_ < spec_.threads)
    panel_parts_ = std::min(pairs, ceil_div(spec_.threads, images * row_parts_));
}

std::int64_t GatherProduct::source_stride() const { return spec_.lowering.source_pixels() * lanes_; }

std::int64_t GatherProduct::scratch_count() const {
  if (is_identity_ || entries_ == 0) return 0;
  const std::int64_t images = ceil_div(spec_.images, image_parts_);
  const std::int64_t tiles = ceil_div(ceil_div(rows_, row_grain_), row_parts_);
  const std::int64_t pixels =
      std::min(tiles * row_grain_, rows_) * (is_contiguous_ ? 1 : spec_.lowering.grid_w);
  return (spec_.whole_images ? entries_ : std::min(chunk_, entries_)) * images * pixels * lanes_;
}

GatherProduct::Unit GatherProduct::unit(std::int64_t index) const {
  const auto part = [&](std::int64_t count, std::int64_t parts) {
    const auto piece = base::split_range(count, static_cast<int>(parts), static_cast<int>(index % parts));
    index /= parts;
    return piece;
  };
  Unit u;
  const std::int64_t pair = register_tile().panels;
  u.panels = part(ceil_div(spec_.target_panels, pair), panel_parts_);
  u.panels = {u.panels.begin * pair, std::min(u.panels.end * pair, spec_.target_panels)};
  u.rows = part(ceil_div(rows_, row_grain_), row_parts_);
  u.rows = {u.rows.begin * row_grain_, std::min(u.rows.end * row_grain_, rows_)};
  u.images = part(spec_.images, image_parts_);
  u.group = index;
  return u;
}

void GatherProduct::lower(const Unit& u, const float* source, base::IndexRange entries,
                          float* scratch) const noexcept {
  const std::int64_t width = is_contiguous_ ? 1 : spec_.lowering.grid_w;
  const std::int64_t pixels = u.rows.size() * width;
  const ColumnPiece piece{.entry = entries.begin,
                          .entries = entries.size(),
                          .pixel = u.rows.begin * width,
                          .pixels = pixels,
                          .stride = u.images.size() * pixels * lanes_};
  const std::int64_t image = spec_.groups * source_blocks_ * source_stride();
  for (std::int64_t i = 0; i < u.images.size(); ++i)
    lower_blocks(spec_.lowering, source + i * image, piece, scratch + i * pixels * lanes_);
}

void GatherProduct::run_unit(const Unit& u, const GatherOperands& operands, float* scratch) const noexcept {
  const Lowering& l = spec_.lowering;
  const std::int64_t target_plane = spec_.target_h * spec_.target_w * lanes_;
  const std::int64_t target_image = spec_.groups * spec_.target_panels * target_plane;
  const std::int64_t source_image = spec_.groups * source_blocks_ * source_stride();
  const std::int64_t width = is_contiguous_ ? 1 : l.grid_w, pixels = u.rows.size() * width;
  const float* source =
      operands.source + u.images.begin * source_image + u.group * source_blocks_ * source_stride();
  const std::int64_t row =
      is_contiguous_
          ? u.rows.begin
          : (u.rows.begin * spec_.target_stride_h + spec_.target_row) * spec_.target_w + spec_.target_column;
  PanelProduct p{
      .segments = is_contiguous_ ? u.images.size() : u.rows.size(),
      .rows = is_contiguous_ ? pixels : l.grid_w,
      .panels = u.panels.size(),
      .a_segment_stride = (is_contiguous_ ? pixels : l.grid_w) * lanes_,
      .a_block_stride = u.images.size() * pixels * lanes_,
      .b_panel_stride = spec_.weight_panel_stride,
      .c = operands.target + u.images.begin * target_image +
           (u.group * spec_.target_panels + u.panels.begin) * target_plane + row * lanes_,
      .c_segment_stride = is_contiguous_ ? target_image : spec_.target_stride_h * spec_.target_w * lanes_,
      .c_row_stride = spec_.target_stride_w * lanes_,
      .c_panel_stride = target_plane,
      .columns = spec_.bias_count - u.panels.begin * lanes_};
  p.b = operands.weights + u.group * spec_.weight_group_stride + u.panels.begin * spec_.weight_panel_stride;
  if (is_identity_) {
    if (is_contiguous_) p.a_segment_stride = source_image;
    p.a_block_stride = source_stride();
  } else if (spec_.whole_images && entries_ > 0) {
    lower(u, source, {0, entries_}, scratch);
  }
  for (std::int64_t entry = 0; entry < std::max<std::int64_t>(entries_, 1); entry += chunk_) {
    const base::IndexRange entries{entry, std::min(entry + chunk_, entries_)};
    const bool is_last = entry + chunk_ >= entries_;
    p.depth = entries.size() * lanes_ - (is_last ? idle_steps_ : 0);
    p.a = scratch;
    if (is_identity_)
      p.a = source + entry * source_stride() + u.rows.begin * width * lanes_;
    else if (spec_.whole_images)
      p.a = scratch + entry * p.a_block_stride;
    else if (entries.size() > 0)
      lower(u, source, entries, scratch);
    p.b_blocks = spec_.weight_blocks.data() + entry;
    p.accumulate = entry > 0;
    p.bias = is_last && operands.bias != nullptr
                 ? operands.bias + u.group * spec_.bias_count + u.panels.begin * lanes_
                 : nullptr;
    p.relu = is_last && spec_.relu;
    multiply_panels(p);
  }
}

void GatherProduct::run_units(base::IndexRange range, const GatherOperands& operands,
                              float* scratch) const noexcept {
  for (std::int64_t index = range.begin; index < range.end; ++index) {
    const Unit u = unit(index);
    if (u.images.size() > 0 && u.rows.size() > 0 && u.panels.size() > 0) run_unit(u, operands, scratch);
  }
}

}  // namespace convoy::kernels::cpu
