#include "convoy/kernels/cpu/conv_im2col_weights.h"

#include <algorithm>

#include "convoy/kernels/cpu/gemm.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

// Pixels of one product: a pair of dy's panels takes 32 KiB at 16 lanes.
constexpr std::int64_t kPixels = 256;
// The same of a thin x, whose rows are copied once for each of their taps' rows when taken one by one.
constexpr std::int64_t kThinPixels = 1024;
// Floats of the column matrix in one product: 256 KiB, to stay in the second cache beside dy.
constexpr std::int64_t kColumnFloats = 64 * 1024;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

struct WeightsProduct::Task {
  std::int64_t group = 0;
  base::IndexRange entries, panels;
};

WeightsProduct::WeightsProduct(WeightsSpec spec)
    : spec_(std::move(spec)),
      lanes_(simd_lanes()),
      is_identity_(!spec_.thin && spec_.lowering.is_identity()),
      entries_(spec_.channels * spec_.lowering.tap_count()) {
  cut();
}

// Entries are cut first: what a task lowers, no other lowers again.
void WeightsProduct::cut() {
  const std::int64_t grain = spec_.thin ? register_tile().rows : 1;
  const std::int64_t rows = ceil_div(entries_, grain), pairs = ceil_div(spec_.panels, register_tile().panels);
  const std::int64_t parts = ceil_div(spec_.threads, spec_.groups);
  std::int64_t best = rows * pairs + 1;
  for (std::int64_t entry_parts = std::min(parts, rows); entry_parts >= 1; --entry_parts) {
    const std::int64_t panel_parts = std::min(pairs, std::max<std::int64_t>(1, parts / entry_parts));
    const std::int64_t largest = ceil_div(rows, entry_parts) * ceil_div(pairs, panel_parts);
    if (largest >= best) continue;
    best = largest;
    entry_parts_ = entry_parts;
    panel_parts_ = panel_parts;
  }
  const std::int64_t pixels = std::max<std::int64_t>(1, spec_.lowering.pixels());
  pixels_ = ceil_div(ceil_div(pixels, ceil_div(pixels, kPixels)), lanes_) * lanes_;
  const std::int64_t mine = ceil_div(rows, entry_parts_) * grain;
  if (spec_.thin) {
    const std::int64_t width = std::max<std::int64_t>(1, spec_.lowering.grid_w),
                       height = spec_.lowering.grid_h;
    const std::int64_t together =
        std::clamp<std::int64_t>(std::min(kThinPixels, kColumnFloats / mine) / width, 1, height);
    thin_.emplace(spec_.lowering, spec_.channels, spec_.whole_images ? height : together);
  }
  group_entries_ = spec_.thin || spec_.whole_images
                       ? mine
                       : std::clamp<std::int64_t>(kColumnFloats / (pixels_ * lanes_), 1, mine);
}

std::int64_t WeightsProduct::scratch_count() const {
  if (is_identity_) return 0;
  if (thin_) {  // the copy, the column matrix, and a vector that its last entry may spill
    const std::int64_t blocks = ceil_div(thin_->rows() * spec_.lowering.grid_w, lanes_);
    return thin_->count() + (blocks * group_entries_ + 1) * lanes_;
  }
  const std::int64_t pixels = ceil_div(std::max<std::int64_t>(1, spec_.lowering.pixels()), lanes_) * lanes_;
  return group_entries_ * (spec_.whole_images ? pixels : std::min(pixels, pixels_)) * lanes_;
}

void WeightsProduct::multiply_blocks(const Task& task, const WeightsOperands& operands,
                                     base::IndexRange entries, float* scratch) const noexcept {
  const std::int64_t pixels = spec_.lowering.pixels(), plane = pixels * lanes_, square = lanes_ * lanes_;
  const std::int64_t source = spec_.lowering.source_pixels() * lanes_;
  const std::int64_t width = spec_.whole_images ? pixels : pixels_;
  PanelProduct p{.segments = entries.size(),
                 .rows = lanes_,
                 .panels = task.panels.size(),
                 .a_block_stride = square,
                 .b_panel_stride = plane,
                 .c = operands.dw +
                      ((task.group * spec_.panels + task.panels.begin) * entries_ + entries.begin) * square,
                 .c_segment_stride = square,
                 .c_row_stride = lanes_,
                 .c_panel_stride = entries_ * square};
  for (std::int64_t image = 0; image < spec_.images; ++image) {
    const float* x = operands.x + (image * spec_.groups + task.group) * spec_.channels * source;
    const float* dy =
        operands.dy + ((image * spec_.groups + task.group) * spec_.panels + task.panels.begin) * plane;
    for (std::int64_t lowered = 0; lowered < pixels; lowered += width) {
      const std::int64_t count = std::min(width, pixels - lowered);
      p.a_segment_stride = is_identity_ ? source : count * lanes_;
      if (!is_identity_)
        lower_blocks(spec_.lowering, x,
                     {.entry = entries.begin,
                      .entries = entries.size(),
                      .pixel = lowered,
                      .pixels = count,
                      .stride = p.a_segment_stride},
                     scratch);
      for (std::int64_t pixel = lowered; pixel < lowered + count; pixel += pixels_) {
        p.depth = std::min(pixels_, lowered + count - pixel);
        p.a =
            is_identity_ ? x + entries.begin * source + pixel * lanes_ : scratch + (pixel - lowered) * lanes_;
        p.b = dy + pixel * lanes_;
        p.accumulate = operands.accumulate || image > 0 || pixel > 0;
        multiply_panels_transposed(p);
      }
    }
  }
}

void WeightsProduct::multiply_thin(const Task& task, const WeightsOperands& operands,
                                   float* scratch) const noexcept {
  const Lowering& l = spec_.lowering;
  const std::int64_t plane = l.pixels() * lanes_, rows = task.entries.size();
  float* columns = scratch + thin_->count();
  PanelProduct p{.rows = rows,
                 .panels = task.panels.size(),
                 .a = columns,
                 .a_block_stride = rows * lanes_,
                 .b_panel_stride = plane,
                 .c = operands.dw + (task.panels.begin * entries_ + task.entries.begin) * lanes_,
                 .c_row_stride = lanes_,
                 .c_panel_stride = entries_ * lanes_};
  for (std::int64_t image = 0; image < spec_.images; ++image) {
    const ThinSource x{operands.x + image * spec_.image_stride, spec_.channel_stride, spec_.pixel_stride};
    const float* dy = operands.dy + (image * spec_.panels + task.panels.begin) * plane;
    for (std::int64_t row = 0; row < l.grid_h; row += thin_->rows()) {
      const base::IndexRange grid_rows{row, std::min(row + thin_->rows(), l.grid_h)};
      const std::int64_t first = row * l.grid_w;
      p.depth = grid_rows.size() * l.grid_w;
      thin_->fill(x, grid_rows, scratch);
      for (std::int64_t pixel = 0; pixel < p.depth; pixel += lanes_)
        thin_->lower(scratch, row,
                     {.pixel = first + pixel,
                      .pixels = std::min(lanes_, p.depth - pixel),
                      .entry = task.entries.begin,
                      .entries = rows},
                     columns + pixel * rows);
      p.b = dy + first * lanes_;
      p.accumulate = operands.accumulate || image > 0 || row > 0;
      multiply_panels(p);
    }
  }
}

void WeightsProduct::run_task(const Task& task, const WeightsOperands& operands,
                              float* scratch) const noexcept {
  if (task.entries.size() == 0 || task.panels.size() == 0) return;
  if (spec_.thin) {
    multiply_thin(task, operands, scratch);
    return;
  }
  for (std::int64_t entry = task.entries.begin; entry < task.entries.end; entry += group_entries_)
    multiply_blocks(task, operands, {entry, std::min(entry + group_entries_, task.entries.end)}, scratch);
}

void WeightsProduct::run_tasks(base::IndexRange range, const WeightsOperands& operands,
                               float* scratch) const noexcept {
  const std::int64_t grain = spec_.thin ? register_tile().rows : 1, pair = register_tile().panels;
  for (std::int64_t index = range.begin; index < range.end; ++index) {
    Task task;
    task.panels = base::split_range(ceil_div(spec_.panels, pair), static_cast<int>(panel_parts_),
                                    static_cast<int>(index % panel_parts_));
    task.panels = {task.panels.begin * pair, std::min(task.panels.end * pair, spec_.panels)};
    task.entries = base::split_range(ceil_div(entries_, grain), static_cast<int>(entry_parts_),
                                     static_cast<int>(index / panel_parts_ % entry_parts_));
    task.entries = {task.entries.begin * grain, std::min(task.entries.end * grain, entries_)};
    task.group = index / panel_parts_ / entry_parts_;
    run_task(task, operands, scratch);
  }
}

void WeightsProduct::run(const WeightsOperands& operands, float* scratch) const noexcept {
  const std::int64_t count = tasks();
  const int parts = static_cast<int>(std::min<std::int64_t>(count, spec_.threads));
  base::parallel_for(parts, 1, [&](base::IndexRange range) {
    for (std::int64_t part = range.begin; part < range.end; ++part)
      run_tasks(base::split_range(count, parts, static_cast<int>(part)), operands,
                scratch + part * scratch_count());
  });
}

}  // namespace convoy::kernels::cpu
