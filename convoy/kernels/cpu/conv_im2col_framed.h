// Forward by a filter of one tap whose outputs lie partly in the padding: a frame of bias round a product.
#pragma once

#include <cstdint>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_im2col_data.h"
#include "convoy/kernels/cpu/conv_lowering.h"

namespace convoy::kernels::cpu {

struct FramedSpec {
  Lowering lowering;  // forward's
  std::int64_t images = 1;
  std::int64_t groups = 1;
  std::int64_t source_channels = 1;  // of a group
  std::int64_t target_panels = 1;    // of a group
  std::int64_t bias_count = 0;       // values of a group, if there is a bias
  bool relu = false;
  int threads = 1;
};

// Layouts as GatherProduct's. The pixels that meet the source are gathered from as many images as the second
// cache holds and are the rows of one product, however few an image has; its results go to their places, and
// all others get relu(bias).
class FramedProduct {
 public:
  // Pixels of the grid whose tap meets the source. Requires one tap.
  static std::int64_t pixels(const Lowering& lowering);
  // Whether the lowering has one tap, which meets the source for some pixels, not too many, and not for all.
  static bool suits(const Lowering& lowering);

  // Requires suits().
  explicit FramedProduct(FramedSpec spec);

  std::int64_t scratch_count() const;  // floats that one thread needs
  // On the compute team; the scratch of thread i at scratch + i * scratch_count().
  void run(const GatherOperands& operands, float* scratch) const noexcept;

 private:
  struct Unit;

  Unit unit(std::int64_t index) const;
  void multiply(const Unit& unit, const GatherOperands& operands, float* columns,
                float* products) const noexcept;
  void place(const Unit& unit, const GatherOperands& operands, const float* products,
             float* frame) const noexcept;
  std::int64_t units() const { return spec_.groups * image_parts_ * panel_parts_; }

  FramedSpec spec_;
  Lowering inner_;                   // of the pixels that meet the source
  std::int64_t top_ = 0, left_ = 0;  // the first of them
  std::int64_t lanes_ = 0;
  std::int64_t blocks_ = 0;  // of a group's source
  std::int64_t image_parts_ = 1, panel_parts_ = 1;
};

}  // namespace convoy::kernels::cpu
