// Direct convolution, backward_weights, in blocks of one vector:
//   dw[k,c,r,s] = sum over n,p,q of dy[n,k,p,q] x[n, c, p stride - pad + r dilation, …].
//
// A register tile holds 8 input channels (each broadcast) times up to 3 vectors of output channels of one tap
// and adds up the pixels of a unit: some rows of one image, or some small images, whose x and dy stay in L1
// while tile after tile and tap after tap passes over them. dw of a task, a range of k-blocks times a range
// of c-blocks, stays in L2 from the first unit to the last. Taps that read padding have shorter runs; no
// padded copy of x is made.
//
// Fewer input channels than lanes: x comes plain, a unit's rows are copied with their padding, and the tile
// holds taps instead of channels. Depthwise: vectors run along the groups on both sides.
//
// Threads take tasks, or, where dw is small beside the activations, units of all tasks, with a dw each that
// are added in order.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_direct_weights.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/conv_direct_weights-inl.h"
#include "convoy/kernels/cpu/conv_direct_weights_depthwise-inl.h"
#include "convoy/kernels/cpu/conv_direct_weights_thin-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2  // ConvGeometry::of refuses processors below it
void add_blocked_unit(const WeightsGeometry& g, const PixelUnit& unit, const BlockedTile& tile) {
  add_blocked(g, unit, tile);
}
void add_thin_unit(const WeightsGeometry& g, const PixelUnit& unit, const ThinTile& tile) {
  add_thin(g, unit, tile);
}
void add_depthwise_unit(const WeightsGeometry& g, const PixelUnit& unit, const DepthwiseTile& tile) {
  add_depthwise(g, unit, tile);
}
void add_bias_unit(const WeightsGeometry& g, const PixelUnit& unit, const float* y, std::int64_t y_sample,
                   float* bias) {
  add_bias(g, unit, y, y_sample, bias);
}
#else
void add_blocked_unit(const WeightsGeometry&, const PixelUnit&, const BlockedTile&) {
  HWY_ABORT("not built");
}
void add_thin_unit(const WeightsGeometry&, const PixelUnit&, const ThinTile&) { HWY_ABORT("not built"); }
void add_depthwise_unit(const WeightsGeometry&, const PixelUnit&, const DepthwiseTile&) {
  HWY_ABORT("not built");
}
void add_bias_unit(const WeightsGeometry&, const PixelUnit&, const float*, std::int64_t, float*) {
  HWY_ABORT("not built");
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cstring>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_bias.h"
#include "convoy/kernels/cpu/conv_direct.h"
#include "convoy/kernels/cpu/conv_direct_weights_blocking.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/family.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(add_blocked_unit);
HWY_EXPORT(add_thin_unit);
HWY_EXPORT(add_depthwise_unit);
HWY_EXPORT(add_bias_unit);

class DirectWeights final : public Kernel {
 public:
  explicit DirectWeights(const Problem& problem)
      : geometry_(weights_geometry(ConvGeometry::of(problem).value())),
        blocking_(choose_blocking(geometry_.conv, family_block(), base::thread_count())),
        traits_(weights_traits(problem, geometry_.conv, blocking_)) {}

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override {
    static constexpr const char* kNames[] = {":blocked", ":thin", ":depthwise"};
    return simd_target() + kNames[static_cast<int>(blocking_.scheme)];
  }

  void run(const KernelArgs& args) const noexcept override {
    const ConvGeometry& g = geometry_.conv;
    auto* db = static_cast<float*>(g.has_bias ? args.param_gradients[1] : nullptr);
    const Arrays arrays{.x = static_cast<const float*>(args.inputs[0]),
                        .dy = static_cast<const float*>(args.output_gradients[0]),
                        .dw = static_cast<float*>(args.param_gradients[0]),
                        .has_bias = db != nullptr,
                        .workspace = static_cast<float*>(args.workspace)};
    if (arrays.dw == nullptr) {
      if (db != nullptr) sum_bias_gradient(arrays.dy, g, blocking_.lanes, db);
      return;
    }
    base::parallel_for(blocking_.splits * blocking_.tasks(), 1, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end; ++i) run_item(i, arrays);
    });
    add_splits(arrays.dw, arrays.workspace);
    if (db == nullptr) return;
    std::fill_n(db, g.k, 0.0F);
    for (std::int64_t split = 0; split < blocking_.splits; ++split)
      add_bias_of_split(blocking_.bias(arrays.workspace, split), db);
  }

 private:
  struct Arrays {
    const float* x = nullptr;
    const float* dy = nullptr;
    float* dw = nullptr;
    bool has_bias = false;
    float* workspace = nullptr;
  };

  // Split i / tasks of task i % tasks. The first split writes dw itself.
  void run_item(std::int64_t i, const Arrays& arrays) const {
    const std::int64_t split = i / blocking_.tasks();
    float* dw = split == 0 ? arrays.dw : arrays.workspace + (split - 1) * blocking_.weights;
    const WeightsTask task = blocking_.task(i % blocking_.tasks());
    const base::IndexRange units =
        base::split_range(blocking_.units(), static_cast<int>(blocking_.splits), static_cast<int>(split));
    for (std::int64_t u = units.begin; u < units.end; ++u) {
      PixelUnit unit = blocking_.unit(u);
      unit.first = u == units.begin;
      switch (blocking_.scheme) {
        case WeightsScheme::blocked:
          add_blocked(task, unit, arrays.x, arrays.dy, dw);
          break;
        case WeightsScheme::thin:
          add_thin(task, unit, arrays, dw, blocking_.plane(arrays.workspace, split));
          break;
        case WeightsScheme::depthwise:
          add_depthwise(task, unit, arrays.x, arrays.dy, dw);
          break;
      }
      if (arrays.has_bias && task.c.begin == 0)
        add_bias(task, unit, arrays.dy, blocking_.bias(arrays.workspace, split));
    }
  }

  // Of every k-block of the task: dy of the unit is still in the cache.
  void add_bias(const WeightsTask& task, const PixelUnit& unit, const float* dy, float* bias) const {
    const ConvGeometry& g = geometry_.conv;
    const std::int64_t plane = g.p * g.q * blocking_.lanes, blocks = blocking_.groups * blocking_.k_blocks;
    for (std::int64_t k = task.k.begin; k < task.k.end; ++k) {
      const std::int64_t block = task.group * blocking_.k_blocks + k;
      HWY_DYNAMIC_DISPATCH(add_bias_unit)
      (geometry_, unit, dy + block * plane, blocks * plane, bias + block * blocking_.lanes);
    }
  }

  void add_bias_of_split(const float* bias, float* db) const {
    for (std::int64_t k = 0; k < geometry_.conv.k; ++k) db[k] += bias[k];
  }

  void add_blocked(const WeightsTask& task, const PixelUnit& unit, const float* x, const float* dy,
                   float* dw) const {
    const ConvGeometry& g = geometry_.conv;
    const std::int64_t lanes = blocking_.lanes, x_plane = g.h * g.w * lanes, y_plane = g.p * g.q * lanes;
    const std::int64_t taps = g.r * g.s * lanes * lanes;
    const std::int64_t c_blocks = blocking_.c_blocks, k_blocks = blocking_.k_blocks;
    BlockedTile tile{.x_sample = g.groups * c_blocks * x_plane,
                     .y_sample = g.groups * k_blocks * y_plane,
                     .y_block = y_plane,
                     .dw_block = c_blocks * taps};
    for (std::int64_t k = task.k.begin; k < task.k.end; k += tile.k_blocks) {
      tile.k_blocks = std::min(task.k.end - k, blocking_.k_step(task.k.end - k));
      const std::int64_t k_block = task.group * k_blocks + k;
      tile.y = dy + k_block * y_plane;
      for (std::int64_t c = task.c.begin; c < task.c.end; ++c) {
        tile.x = x + (task.group * c_blocks + c) * x_plane;
        tile.dw = dw + (k_block * c_blocks + c) * taps;
        tile.channels = std::min(lanes, g.c_per_group() - c * lanes);
        HWY_DYNAMIC_DISPATCH(add_blocked_unit)(geometry_, unit, tile);
      }
    }
  }

  void add_thin(const WeightsTask& task, const PixelUnit& unit, const Arrays& arrays, float* dw,
                float* planes) const {
    const ConvGeometry& g = geometry_.conv;
    copy_rows(unit, arrays.x + unit.sample_begin * g.c * g.h * g.w, planes);
    const std::int64_t lanes = blocking_.lanes, y_plane = g.p * g.q * lanes;
    for (std::int64_t k = task.k.begin; k < task.k.end; ++k) HWY_DYNAMIC_DISPATCH(add_thin_unit)
    (geometry_, unit,
     ThinTile{.x = planes,
              .y = arrays.dy + (unit.sample_begin * blocking_.k_blocks + k) * y_plane,
              .dw = dw + k * g.c * g.r * g.s * lanes,
              .row_size = blocking_.row_size,
              .line_offsets = &blocking_.line_offsets,
              .taps_a_line = blocking_.taps_a_line});
  }

  // The rows that a unit's outputs read, each with its padding, behind one another: [C][rows][row_size].
  void copy_rows(const PixelUnit& unit, const float* image, float* planes) const {
    const ConvGeometry& g = geometry_.conv;
    const std::int64_t rows = (unit.row_end - 1 - unit.row_begin) * g.stride_h + (g.r - 1) * g.dilation_h + 1;
    const std::int64_t left = std::min(g.pad_left, blocking_.row_size);
    const std::int64_t width = std::clamp<std::int64_t>(blocking_.row_size - left, 0, g.w);
    for (std::int64_t c = 0; c < g.c; ++c)
      for (std::int64_t i = 0; i < rows; ++i) {
        float* to = planes + (c * blocking_.unit_image_rows + i) * blocking_.row_size;
        const std::int64_t h = unit.row_begin * g.stride_h - g.pad_top + i;
        if (h < 0 || h >= g.h) {
          std::fill_n(to, blocking_.row_size, 0.0F);
          continue;
        }
        std::fill_n(to, left, 0.0F);
        std::copy_n(image + (c * g.h + h) * g.w, width, to + left);
        std::fill(to + left + width, to + blocking_.row_size, 0.0F);
      }
  }

  void add_depthwise(const WeightsTask& task, const PixelUnit& unit, const float* x, const float* dy,
                     float* dw) const {
    const ConvGeometry& g = geometry_.conv;
    const std::int64_t lanes = blocking_.lanes, x_plane = g.h * g.w * lanes, y_plane = g.p * g.q * lanes;
    for (std::int64_t k = task.k.begin; k < task.k.end; ++k) HWY_DYNAMIC_DISPATCH(add_depthwise_unit)
    (geometry_, unit,
     DepthwiseTile{.x = x + k * x_plane,
                   .y = dy + k * y_plane,
                   .dw = dw + k * g.r * g.s * lanes,
                   .x_sample = blocking_.k_blocks * x_plane,
                   .y_sample = blocking_.k_blocks * y_plane});
  }

  // dw of the first split plus those of the others, in their order.
  void add_splits(float* dw, const float* workspace) const {
    if (blocking_.splits == 1) return;
    constexpr std::int64_t kGrain_elements = 8192;
    base::parallel_for(blocking_.weights, kGrain_elements, [&](base::IndexRange range) {
      for (std::int64_t split = 1; split < blocking_.splits; ++split) {
        const float* other = workspace + (split - 1) * blocking_.weights;
        for (std::int64_t i = range.begin; i < range.end; ++i) dw[i] += other[i];
      }
    });
  }

  WeightsGeometry geometry_;
  WeightsBlocking blocking_;
  KernelTraits traits_;
};

}  // namespace

std::unique_ptr<Kernel> make_direct_backward_weights(const Problem& problem) {
  return std::make_unique<DirectWeights>(problem);
}

}  // namespace convoy::kernels::cpu
#endif
