// Groups that share blocks of channels, or leave them half empty: each group of each image is copied into
// blocks of its own, convolved there, and copied back.
#pragma once

#include <vector>

#include "convoy/kernels/cpu/conv_im2col_pass.h"

namespace convoy::kernels::cpu {

// Im2colPass for any groups. x, y and their gradients are in blocks of L channels that know nothing of
// groups; weights have a panel of whole blocks a group. Threads over images and groups, in backward_weights
// over groups. Right for every convolution, and slow: a depthwise one pays for L channels where it has one.
class RegroupedPass {
 public:
  explicit RegroupedPass(const Im2colSpec& spec);

  std::int64_t scratch_count() const;  // floats, for all threads
  void run(const Im2colArgs& args, float* scratch) const noexcept;

 private:
  // Parts of one thread's scratch.
  struct Copies;

  std::int64_t thread_count() const;
  Copies copies(float* scratch) const;
  void run_group(std::int64_t image, std::int64_t group, const Im2colArgs& args,
                 float* scratch) const noexcept;
  std::int64_t weight_group_count() const;

  ConvGeometry whole_;  // all groups
  Pass pass_;
  Im2colForm form_;
  int threads_;
  std::int64_t lanes_;
  std::int64_t x_count_ = 0, y_count_ = 0;  // floats of one group's image
  Im2colPass group_;                        // one group of one image, in one thread
};

}  // namespace convoy::kernels::cpu
