// A convolution's backward_data by explicit lowering: the gradient of the column matrix, added up (col2im).
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/kernels/cpu/conv_im2col_data.h"
#include "convoy/kernels/cpu/conv_lowering.h"

namespace convoy::kernels::cpu {

struct RaiseSpec {
  Lowering lowering;  // forward's: from x to y
  std::int64_t images = 1;
  std::int64_t groups = 1;
  std::int64_t x_blocks = 1;  // of a group
  std::int64_t y_blocks = 1;  // of a group
  int threads = 1;
};

// target = dx, source = dy: d column[tap] = dy times the weights of one block of x's channels, all pixels at
// once, then raise_block. Weights in layout gIOhw{L}o{L}i. A thread owns whole blocks of dx and keeps the
// column matrix of one, taps x pixels x L floats.
class RaiseProduct {
 public:
  explicit RaiseProduct(RaiseSpec spec);

  std::int64_t scratch_count() const;  // floats that one thread needs
  // On the compute team; the scratch of thread i at scratch + i * scratch_count().
  void run(const GatherOperands& operands, float* scratch) const noexcept;

 private:
  void run_block(std::int64_t block, const GatherOperands& operands, float* scratch) const noexcept;

  RaiseSpec spec_;
  std::int64_t lanes_ = 0;
  std::vector<std::int64_t> weight_blocks_;
};

}  // namespace convoy::kernels::cpu
