// How the direct backward_weights convolution cuts its work into tasks, units and splits.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_direct_weights.h"

namespace convoy::kernels::cpu {

enum class WeightsScheme : std::uint8_t {
  blocked,    // channels of both sides in whole blocks a group
  thin,       // fewer input channels than lanes, x plain
  depthwise,  // one channel a group on both sides
};

// What stays in the cache while all units pass: k-blocks times c-blocks of one group.
struct WeightsTask {
  std::int64_t group = 0;
  base::IndexRange k, c;
};

// Numbers of blocks are a group's; sizes are in elements.
struct WeightsBlocking {
  WeightsScheme scheme = WeightsScheme::blocked;
  std::int64_t lanes = 16;
  std::int64_t groups = 1, k_blocks = 1, c_blocks = 1;  // depthwise: k_blocks of all groups together
  std::int64_t k_parts = 1, c_parts = 1;                // tasks of a group
  std::int64_t splits = 1;                              // of the units, each with its own dw
  std::int64_t samples = 1, rows = 1;                   // N, P
  std::int64_t unit_samples = 1, unit_rows = 1;         // one of them is 1, or all rows are taken
  std::int64_t weights = 0;                             // dw in storage
  // thin alone: the copied rows of a unit, and where its lines begin (ThinTile).
  std::int64_t planes = 0, unit_image_rows = 0, row_size = 0, taps_a_line = 1;
  std::vector<std::int64_t> line_offsets;
  std::int64_t biases = 0;  // K in storage

  std::int64_t tasks() const { return groups * k_parts * c_parts; }
  WeightsTask task(std::int64_t i) const;
  std::int64_t units() const;
  PixelUnit unit(std::int64_t i) const;
  // The workspace holds dw of each split but the first, then planes and bias sums of each.
  std::int64_t workspace() const { return (splits - 1) * weights + splits * (planes + biases); }
  float* plane(float* workspace, std::int64_t split) const {
    return workspace + (splits - 1) * weights + split * planes;
  }
  float* bias(float* workspace, std::int64_t split) const {
    return workspace + (splits - 1) * weights + splits * planes + split * biases;
  }
  // How many of `left` k-blocks the register tile takes at once.
  std::int64_t k_step(std::int64_t left) const { return left == 4 || left == 2 ? 2 : left >= 3 ? 3 : 1; }
};

WeightsGeometry weights_geometry(const ConvGeometry& conv);
WeightsBlocking choose_blocking(const ConvGeometry& g, std::int64_t lanes, int threads);
KernelTraits weights_traits(const Problem& problem, const ConvGeometry& g, const WeightsBlocking& blocking);

}  // namespace convoy::kernels::cpu
