// The forward pass of a convolution with fewer input channels than a vector has lanes.
#pragma once

#include <cstdint>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_im2col_data.h"
#include "convoy/kernels/cpu/conv_lowering.h"
#include "convoy/kernels/cpu/conv_thin_image.h"

namespace convoy::kernels::cpu {

struct ThinSpec {
  Lowering lowering;
  std::int64_t images = 1;
  std::int64_t channels = 1;
  std::int64_t panels = 1;
  std::int64_t channel_stride = 0, pixel_stride = 0, image_stride = 0;  // of x
  std::int64_t bias_count = 0;
  bool relu = false;
  bool whole_images = false;
  int threads = 1;
};

// GatherProduct with a depth of exactly channels * taps: pixels become lanes (ThinImage), so that no lane is
// spent on channels that do not exist. Weights in layout Oihw{L}o.
class ThinProduct {
 public:
  explicit ThinProduct(ThinSpec spec);

  std::int64_t scratch_count() const;  // floats that one thread needs
  // On the compute team; the scratch of thread i at scratch + i * scratch_count().
  void run(const GatherOperands& operands, float* scratch) const noexcept;

 private:
  void run_rows(std::int64_t image, base::IndexRange rows, const GatherOperands& operands,
                float* scratch) const noexcept;

  ThinSpec spec_;
  std::int64_t lanes_ = 0;
  std::int64_t tile_ = 1;   // pixels of a tile
  std::int64_t parts_ = 1;  // of an image's grid rows
  ThinImage image_;
};

}  // namespace convoy::kernels::cpu
