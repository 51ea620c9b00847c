// A convolution's backward_weights as products of the transposed column matrix and output gradients.
#pragma once

#include <cstdint>
#include <optional>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_lowering.h"
#include "convoy/kernels/cpu/conv_thin_image.h"

namespace convoy::kernels::cpu {

// Images in blocks of L = simd_lanes() channels, each group's channels in whole blocks; or, with `thin`, an x
// of one group whose channels are not worth blocks.
struct WeightsSpec {
  Lowering lowering;  // from x to y
  std::int64_t images = 1;
  std::int64_t groups = 1;
  std::int64_t channels = 1;  // thin: C; else blocks of channels of a group
  std::int64_t panels = 1;    // blocks of output channels of a group
  bool thin = false;
  std::int64_t channel_stride = 0, pixel_stride = 0, image_stride = 0;  // of a thin x
  bool whole_images = false;  // the column matrix of whole images, not of what fits the second cache
  int threads = 1;
};

struct WeightsOperands {
  const float* x = nullptr;
  const float* dy = nullptr;
  float* dw = nullptr;
  bool accumulate = false;  // dw += instead of dw =
};

// dw[group, panel, e, l, k] = sum over images and pixels of the column matrix's entry e (block * taps + tap,
// lane l; thin: channel * taps + tap, without lanes) times dy[pixel, k]: layout gOIhw{L}i{L}o, thin Oihw{L}o.
// Overwrites dw. The work is cut into tasks of entries x panels that own what they write; each adds its
// pixels in one order, so that the bits depend on the cut alone.
class WeightsProduct {
 public:
  explicit WeightsProduct(WeightsSpec spec);

  std::int64_t tasks() const { return spec_.groups * entry_parts_ * panel_parts_; }
  std::int64_t scratch_count() const;  // floats that one thread needs
  void run_tasks(base::IndexRange tasks, const WeightsOperands& operands, float* scratch) const noexcept;
  // All tasks on the compute team; the scratch of thread i at scratch + i * scratch_count().
  void run(const WeightsOperands& operands, float* scratch) const noexcept;

 private:
  struct Task;

  void cut();
  void run_task(const Task& task, const WeightsOperands& operands, float* scratch) const noexcept;
  void multiply_blocks(const Task& task, const WeightsOperands& operands, base::IndexRange entries,
                       float* scratch) const noexcept;
  void multiply_thin(const Task& task, const WeightsOperands& operands, float* scratch) const noexcept;

  WeightsSpec spec_;
  std::int64_t lanes_ = 0;
  bool is_identity_ = false;
  std::int64_t entries_ = 0;  // channels * taps
  std::int64_t entry_parts_ = 1, panel_parts_ = 1;
  std::int64_t group_entries_ = 1;  // entries lowered and multiplied together
  std::int64_t pixels_ = 1;         // pixels of one product
  std::optional<ThinImage> thin_;   // for the grid rows of one product
};

}  // namespace convoy::kernels::cpu
