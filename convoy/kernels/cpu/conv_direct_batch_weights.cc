// Batch-blocked direct convolution, backward_weights. A vector holds one pixel of a block of samples; a
// register tile holds some output channels times the taps of one row of a filter (or, where a row is one tap,
// some input channels), each a vector of partial sums over the samples' lanes. All pixels are added before
// lanes are.
//
// With padding, the rows of x that a unit of work reads are copied with zeros at their ends.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_direct_batch_weights.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/conv_direct_batch_weights-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2  // ConvGeometry::of refuses processors below it
void add_batch_tile(const BatchWeightsTile& tile, std::int64_t outputs, std::int64_t taps) {
  add_weights_tile(tile, outputs, taps);
}
void add_batch_pixels(const float* dy, std::int64_t pixels, bool first, float* sum) {
  add_pixels(dy, pixels, first, sum);
}
void sum_batch_lanes(const float* vectors, std::int64_t count, float* to) { sum_lanes(vectors, count, to); }
std::int64_t outputs_beside_taps(std::int64_t taps) { return gradients_beside(static_cast<int>(taps)); }
#else
void add_batch_tile(const BatchWeightsTile&, std::int64_t, std::int64_t) { HWY_ABORT("not built"); }
void add_batch_pixels(const float*, std::int64_t, bool, float*) { HWY_ABORT("not built"); }
void sum_batch_lanes(const float*, std::int64_t, float*) { HWY_ABORT("not built"); }
std::int64_t outputs_beside_taps(std::int64_t) { return 1; }
#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_direct_batch_passes.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/family.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(add_batch_tile);
HWY_EXPORT(add_batch_pixels);
HWY_EXPORT(sum_batch_lanes);
HWY_EXPORT(outputs_beside_taps);

constexpr std::int64_t kFloat_bytes = 4;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// How the work is cut. An item is some output channels of a group and a part of the units, which are rows of
// outputs of a block of samples.
struct Cut {
  std::int64_t lanes = 16;
  std::int64_t blocks = 1;     // of samples
  std::int64_t unit_rows = 1;  // outputs
  std::int64_t k_parts = 1;    // of a group
  std::int64_t splits = 1;
  std::int64_t team = 1;
  bool taps_are_channels = false;  // a filter's row is one tap
  std::int64_t taps = 1, tap_parts = 1;
  // The copied rows, in vectors; none without padding.
  std::int64_t image_rows = 0, row_size = 0;
  // Floats of the workspace: of each member of the team, and of each split but the first.
  std::int64_t sums = 0, bias_sums = 0, planes = 0;
  std::int64_t weights = 0, biases = 0;

  std::int64_t member() const { return sums + bias_sums + planes; }
};

Cut cut(const ConvGeometry& g, std::int64_t lanes, std::int64_t threads) {
  Cut c{.lanes = lanes, .blocks = ceil_div(g.n, lanes), .taps_are_channels = g.s == 1};
  c.taps = c.taps_are_channels ? g.c_per_group() : g.s;
  constexpr std::int64_t kWide = 5;  // taps of a tile where a row of the filter does not fit
  c.tap_parts = c.taps <= kBatchTaps ? 1 : ceil_div(c.taps, kWide);
  c.k_parts =
      ceil_div(g.k_per_group(), HWY_DYNAMIC_DISPATCH(outputs_beside_taps)(ceil_div(c.taps, c.tap_parts)));
  const std::int64_t outputs = ceil_div(g.k_per_group(), c.k_parts);
  constexpr std::int64_t kUnit_bytes =
      56 << 10;  // of x and dy: a part of L2, as dy is read once for each row of taps
  const std::int64_t row_bytes = (outputs * g.q + g.w * std::min(g.stride_h, g.r)) * lanes * kFloat_bytes;
  c.unit_rows = ceil_div(g.p, ceil_div(g.p, std::max<std::int64_t>(1, kUnit_bytes / row_bytes)));
  const std::int64_t parts = g.groups * c.k_parts;
  if (parts % threads != 0 && parts < 4 * threads)
    c.splits = std::min(threads, c.blocks * ceil_div(g.p, c.unit_rows));
  c.team = std::min(threads, parts * c.splits);
  if (g.pad_top != 0 || g.pad_left != 0 || g.pad_bottom != 0 || g.pad_right != 0) {
    c.image_rows = (c.unit_rows - 1) * g.stride_h + (g.r - 1) * g.dilation_h + 1;
    c.row_size = (g.q - 1) * g.stride_w + (g.s - 1) * g.dilation_w + 1;
    c.planes = g.c_per_group() * c.image_rows * c.row_size * lanes;
  }
  c.sums = outputs * g.c_per_group() * g.r * g.s * lanes;
  c.bias_sums = g.has_bias ? outputs * lanes : 0;
  c.weights = g.k * g.c_per_group() * g.r * g.s;
  c.biases = g.has_bias ? g.k : 0;
  return c;
}

class BatchWeights final : public Kernel {
 public:
  explicit BatchWeights(const Problem& problem)
      : g_(ConvGeometry::of(problem).value()),
        cut_(cut(g_, family_block(), base::thread_count())),
        rows_(forward_axis({.input = g_.h,
                            .output = g_.p,
                            .kernel = g_.r,
                            .stride = g_.stride_h,
                            .pad = g_.pad_top,
                            .dilation = g_.dilation_h})) {
    traits_.inputs = {activation_layout(problem.inputs[0], problem.family)};
    traits_.params.assign(problem.params.size(), Layout::plain());
    traits_.outputs = {activation_layout(problem.outputs[0], problem.family)};
    traits_.reads_inputs = {true};
    traits_.reads_outputs = {false};
    traits_.workspace_bytes =
        (cut_.team * cut_.member() + (cut_.splits - 1) * (cut_.weights + cut_.biases)) * kFloat_bytes;
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    Arrays a{.x = static_cast<const float*>(args.inputs[0]),
             .dy = static_cast<const float*>(args.output_gradients[0]),
             .dw = static_cast<float*>(args.param_gradients[0]),
             .db = static_cast<float*>(g_.has_bias ? args.param_gradients[1] : nullptr)};
    auto* workspace = static_cast<float*>(args.workspace);
    float* others = workspace + cut_.team * cut_.member();
    const std::int64_t items = g_.groups * cut_.k_parts * cut_.splits;
    base::parallel_for(cut_.team, 1, [&](base::IndexRange members) {
      for (std::int64_t m = members.begin; m < members.end; ++m) {
        const base::IndexRange mine =
            base::split_range(items, static_cast<int>(cut_.team), static_cast<int>(m));
        for (std::int64_t i = mine.begin; i < mine.end; ++i)
          run_item(i, a, others, workspace + m * cut_.member());
      }
    });
    for (std::int64_t split = 1; split < cut_.splits; ++split) {
      const float* other = others + (split - 1) * (cut_.weights + cut_.biases);
      if (a.dw != nullptr)
        for (std::int64_t i = 0; i < cut_.weights; ++i) a.dw[i] += other[i];
      if (a.db != nullptr)
        for (std::int64_t k = 0; k < g_.k; ++k) a.db[k] += other[cut_.weights + k];
    }
  }

 private:
  struct Arrays {
    const float* x = nullptr;
    const float* dy = nullptr;
    float* dw = nullptr;
    float* db = nullptr;
  };
  // Output channels of one group, and where one member of the team keeps what it adds up.
  struct Item {
    std::int64_t group = 0;
    base::IndexRange k;  // in the group
    float* sums = nullptr;
    float* bias_sums = nullptr;
    float* planes = nullptr;
  };
  // Rows of outputs of one block of samples; row 0 of its x lies at image row `image_row`.
  struct Unit {
    std::int64_t block = 0;
    base::IndexRange rows;
    const float* x = nullptr;  // the group's first channel
    std::int64_t x_plane = 0, x_row = 0, image_row = 0;
    bool first = false;
  };

  std::int64_t filter_size() const { return g_.c_per_group() * g_.r * g_.s; }

  void run_item(std::int64_t i, const Arrays& a, float* others, float* member) const {
    const std::int64_t split = i % cut_.splits, part = i / cut_.splits % cut_.k_parts;
    const Item item{
        .group = i / cut_.splits / cut_.k_parts,
        .k = base::split_range(g_.k_per_group(), static_cast<int>(cut_.k_parts), static_cast<int>(part)),
        .sums = member,
        .bias_sums = member + cut_.sums,
        .planes = member + cut_.sums + cut_.bias_sums};
    const std::int64_t chunks = ceil_div(g_.p, cut_.unit_rows);
    const base::IndexRange units =
        base::split_range(cut_.blocks * chunks, static_cast<int>(cut_.splits), static_cast<int>(split));
    for (std::int64_t u = units.begin; u < units.end; ++u) {
      const std::int64_t row = u % chunks * cut_.unit_rows;
      add_unit(item, a,
               {.block = u / chunks,
                .rows = {row, std::min(g_.p, row + cut_.unit_rows)},
                .first = u == units.begin});
    }
    float* own = others + (split - 1) * (cut_.weights + cut_.biases);
    const std::int64_t k = item.group * g_.k_per_group() + item.k.begin;
    if (a.dw != nullptr) HWY_DYNAMIC_DISPATCH(sum_batch_lanes)
    (item.sums, item.k.size() * filter_size(), (split == 0 ? a.dw : own) + k * filter_size());
    if (a.db != nullptr) HWY_DYNAMIC_DISPATCH(sum_batch_lanes)
    (item.bias_sums, item.k.size(), (split == 0 ? a.db : own + cut_.weights) + k);
  }

  void add_unit(const Item& item, const Arrays& a, Unit unit) const {
    const std::int64_t lanes = cut_.lanes, plane = g_.h * g_.w * lanes, dy_plane = g_.p * g_.q * lanes;
    unit.x = a.x + (unit.block * g_.c + item.group * g_.c_per_group()) * plane;
    unit.x_plane = plane;
    unit.x_row = g_.w * lanes;
    const float* dy = a.dy + (unit.block * g_.k + item.group * g_.k_per_group() + item.k.begin) * dy_plane;
    if (cut_.planes > 0) copy_rows(item, unit);
    if (a.dw != nullptr) add_filters(item, unit, dy);
    if (a.db == nullptr) return;
    for (std::int64_t k = 0; k < item.k.size(); ++k) HWY_DYNAMIC_DISPATCH(add_batch_pixels)
    (dy + k * dy_plane + unit.rows.begin * g_.q * lanes, unit.rows.size() * g_.q, unit.first,
     item.bias_sums + k * lanes);
  }

  // The rows of x that the unit reads, between zeros; rows outside the image are never read.
  void copy_rows(const Item& item, Unit& unit) const {
    const std::int64_t lanes = cut_.lanes, row = cut_.row_size * lanes;
    const std::int64_t top = unit.rows.begin * g_.stride_h - g_.pad_top;
    const std::int64_t begin = std::max<std::int64_t>(0, top);
    const std::int64_t end =
        std::min(g_.h, top + (unit.rows.size() - 1) * g_.stride_h + (g_.r - 1) * g_.dilation_h + 1);
    const std::int64_t left = std::min(g_.pad_left * lanes, row);
    const std::int64_t width = std::clamp<std::int64_t>(row - left, 0, g_.w * lanes);
    for (std::int64_t c = 0; c < g_.c_per_group(); ++c)
      for (std::int64_t h = begin; h < end; ++h) {
        float* to = item.planes + (c * cut_.image_rows + h - top) * row;
        std::fill_n(to, left, 0.0F);
        std::copy_n(unit.x + c * unit.x_plane + h * unit.x_row, width, to + left);
        std::fill(to + left + width, to + row, 0.0F);
      }
    unit.x = item.planes;
    unit.x_plane = cut_.image_rows * row;
    unit.x_row = row;
    unit.image_row = top;
  }

  void add_filters(const Item& item, const Unit& unit, const float* dy) const {
    const std::int64_t lanes = cut_.lanes, channels = cut_.taps_are_channels ? 1 : g_.c_per_group();
    BatchWeightsTile tile{.columns = g_.q,
                          .x_row = g_.stride_h * unit.x_row,
                          .x_step = g_.stride_w * lanes,
                          .x_tap = cut_.taps_are_channels ? unit.x_plane : g_.dilation_w * lanes,
                          .dy_row = g_.q * lanes,
                          .dy_output = g_.p * g_.q * lanes,
                          .sums_output = filter_size() * lanes,
                          .sums_tap = cut_.taps_are_channels ? g_.r * lanes : lanes,
                          .first = unit.first};
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t r = 0; r < g_.r; ++r) {
        const base::IndexRange inside = rows_.outputs_of(r);
        const std::int64_t begin = std::max(inside.begin, unit.rows.begin);
        const std::int64_t end = std::min(inside.end, unit.rows.end);
        tile.rows = std::max<std::int64_t>(0, end - begin);
        const std::int64_t row = tile.rows > 0 ? rows_.input_of(begin, r) - unit.image_row : 0;
        const float* x = unit.x + c * unit.x_plane + row * unit.x_row;
        tile.dy = dy + (tile.rows > 0 ? begin : 0) * tile.dy_row;
        for (std::int64_t part = 0; part < cut_.tap_parts; ++part) {
          const base::IndexRange taps =
              base::split_range(cut_.taps, static_cast<int>(cut_.tap_parts), static_cast<int>(part));
          tile.x = x + taps.begin * tile.x_tap;
          tile.sums = item.sums + (c * g_.r + r) * g_.s * lanes + taps.begin * tile.sums_tap;
          HWY_DYNAMIC_DISPATCH(add_batch_tile)(tile, item.k.size(), taps.size());
        }
      }
  }

  ConvGeometry g_;
  Cut cut_;
  Axis rows_;
  KernelTraits traits_;
};

}  // namespace

std::unique_ptr<Kernel> make_batch_weights(const Problem& problem) {
  return std::make_unique<BatchWeights>(problem);
}

}  // namespace convoy::kernels::cpu
#endif
