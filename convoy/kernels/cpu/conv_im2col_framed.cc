#include "convoy/kernels/cpu/conv_im2col_framed.h"

#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/kernels/cpu/gemm.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

// Steps and pixels of one product: 384 KiB of the source at 16 lanes, to stay in the second cache.
constexpr std::int64_t kDepth = 256;
constexpr std::int64_t kPixels = 384;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// The i of [0, count) with 0 <= i stride + place < size.
base::IndexRange meeting(std::int64_t place, std::int64_t stride, std::int64_t count, std::int64_t size) {
  const std::int64_t begin = place >= 0 ? 0 : ceil_div(-place, stride);
  const std::int64_t end = place >= size ? 0 : std::min(count, (size - 1 - place) / stride + 1);
  return {begin, std::max(begin, end)};
}

struct Frame {
  base::IndexRange rows, columns;  // of the grid, that meet the source

  explicit Frame(const Lowering& l)
      : rows(meeting(l.taps[0].row, l.stride_h, l.grid_h, l.source_h)),
        columns(meeting(l.taps[0].column, l.stride_w, l.grid_w, l.source_w)) {}
};

}  // namespace

struct FramedProduct::Unit {
  std::int64_t group = 0;
  base::IndexRange images, panels;
};

std::int64_t FramedProduct::pixels(const Lowering& lowering) {
  const Frame frame(lowering);
  return frame.rows.size() * frame.columns.size();
}

bool FramedProduct::suits(const Lowering& lowering) {
  if (lowering.tap_count() != 1) return false;
  const std::int64_t count = pixels(lowering);
  return count > 0 && count <= kPixels && count < lowering.pixels();
}

FramedProduct::FramedProduct(FramedSpec spec)
    : spec_(std::move(spec)), inner_(spec_.lowering), lanes_(simd_lanes()) {
  CONVOY_CHECK(suits(spec_.lowering), "one tap, and a frame");
  const Frame frame(spec_.lowering);
  top_ = frame.rows.begin;
  left_ = frame.columns.begin;
  inner_.grid_h = frame.rows.size();
  inner_.grid_w = frame.columns.size();
  inner_.taps[0].row += top_ * inner_.stride_h;
  inner_.taps[0].column += left_ * inner_.stride_w;
  blocks_ = ceil_div(spec_.source_channels, lanes_);
  const std::int64_t share = std::max<std::int64_t>(1, spec_.images * spec_.groups / spec_.threads);
  image_parts_ = ceil_div(spec_.images, std::min(kPixels / inner_.pixels(), share));
  if (units() % spec_.threads != 0 && units() < 8 * spec_.threads)
    panel_parts_ =
        std::min<std::int64_t>(spec_.threads, ceil_div(spec_.target_panels, register_tile().panels));
}

// The source's pixels of one chunk of the depth, their products, and a row of the frame.
std::int64_t FramedProduct::scratch_count() const {
  const std::int64_t pixels = ceil_div(spec_.images, image_parts_) * inner_.pixels();
  const std::int64_t blocks = std::min(kDepth / lanes_, blocks_);
  return ((blocks + spec_.target_panels) * pixels + spec_.lowering.grid_w) * lanes_;
}

FramedProduct::Unit FramedProduct::unit(std::int64_t index) const {
  const std::int64_t pair = register_tile().panels;
  const auto pairs = base::split_range(ceil_div(spec_.target_panels, pair), static_cast<int>(panel_parts_),
                                       static_cast<int>(index % panel_parts_));
  index /= panel_parts_;
  return {.group = index / image_parts_,
          .images = base::split_range(spec_.images, static_cast<int>(image_parts_),
                                      static_cast<int>(index % image_parts_)),
          .panels = {pairs.begin * pair, std::min(pairs.end * pair, spec_.target_panels)}};
}

void FramedProduct::multiply(const Unit& u, const GatherOperands& operands, float* columns,
                             float* products) const noexcept {
  const std::int64_t plane = inner_.source_pixels() * lanes_, square = lanes_ * lanes_;
  const std::int64_t pixels = inner_.pixels() * lanes_, chunk = kDepth / lanes_;
  const float* source = operands.source + (u.images.begin * spec_.groups + u.group) * blocks_ * plane;
  const float* weights =
      operands.weights + (u.group * spec_.target_panels + u.panels.begin) * blocks_ * square;
  PanelProduct p{.rows = u.images.size() * inner_.pixels(),
                 .panels = u.panels.size(),
                 .a = columns,
                 .a_block_stride = u.images.size() * pixels,
                 .b_panel_stride = blocks_ * square,
                 .c = products,
                 .c_row_stride = lanes_,
                 .c_panel_stride = u.images.size() * pixels,
                 .columns = spec_.bias_count - u.panels.begin * lanes_};
  for (std::int64_t block = 0; block < blocks_; block += chunk) {
    const ColumnPiece piece{.entry = block,
                            .entries = std::min(chunk, blocks_ - block),
                            .pixels = inner_.pixels(),
                            .stride = p.a_block_stride};
    for (std::int64_t i = 0; i < u.images.size(); ++i)
      lower_blocks(inner_, source + i * spec_.groups * blocks_ * plane, piece, columns + i * pixels);
    const bool is_last = block + chunk >= blocks_;
    p.depth = std::min(piece.entries * lanes_, spec_.source_channels - block * lanes_);
    p.b = weights + block * square;
    p.accumulate = block > 0;
    if (is_last && operands.bias != nullptr)
      p.bias = operands.bias + u.group * spec_.bias_count + u.panels.begin * lanes_;
    p.relu = is_last && spec_.relu;
    multiply_panels(p);
  }
}

// Whole rows of the frame, then the products over them.
void FramedProduct::place(const Unit& u, const GatherOperands& operands, const float* products,
                          float* frame) const noexcept {
  const Lowering& l = spec_.lowering;
  const std::int64_t row = l.grid_w * lanes_, inner_row = inner_.grid_w * lanes_, plane = l.grid_h * row;
  for (std::int64_t panel = u.panels.begin; panel < u.panels.end; ++panel) {
    for (std::int64_t i = 0; i < row; ++i) {
      const std::int64_t channel = panel * lanes_ + i % lanes_;
      const bool has_bias = operands.bias != nullptr && channel < spec_.bias_count;
      const float bias = has_bias ? operands.bias[u.group * spec_.bias_count + channel] : 0.0F;
      frame[i] = spec_.relu ? std::max(bias, 0.0F) : bias;
    }
    for (std::int64_t image = u.images.begin; image < u.images.end; ++image) {
      float* to = operands.target + ((image * spec_.groups + u.group) * spec_.target_panels + panel) * plane;
      for (std::int64_t i = 0; i < l.grid_h; ++i) std::copy_n(frame, row, to + i * row);
      to += top_ * row + left_ * lanes_;
      for (std::int64_t i = 0; i < inner_.grid_h; ++i, products += inner_row)
        std::copy_n(products, inner_row, to + i * row);
    }
  }
}

void FramedProduct::run(const GatherOperands& operands, float* scratch) const noexcept {
  const int parts = static_cast<int>(std::min<std::int64_t>(units(), spec_.threads));
  base::parallel_for(parts, 1, [&](base::IndexRange range) {
    for (std::int64_t part = range.begin; part < range.end; ++part) {
      float* columns = scratch + part * scratch_count();
      const auto mine = base::split_range(units(), parts, static_cast<int>(part));
      for (std::int64_t index = mine.begin; index < mine.end; ++index) {
        const Unit u = unit(index);
        const std::int64_t pixels = u.images.size() * inner_.pixels() * lanes_;
        float* products = columns + std::min(kDepth / lanes_, blocks_) * pixels;
        multiply(u, operands, columns, products);
        place(u, operands, products, products + u.panels.size() * pixels);
      }
    }
  });
}

}  // namespace convoy::kernels::cpu
