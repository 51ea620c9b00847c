// One pass of a convolution of whole blocks of channels as products of matrices.
#pragma once

#include <optional>
#include <vector>

#include "convoy/kernels/cpu/conv_geometry.h"
#include "convoy/kernels/cpu/conv_im2col_data.h"
#include "convoy/kernels/cpu/conv_im2col_framed.h"
#include "convoy/kernels/cpu/conv_im2col_raise.h"
#include "convoy/kernels/cpu/conv_im2col_thin.h"
#include "convoy/kernels/cpu/conv_im2col_weights.h"

namespace convoy::kernels::cpu {

enum class Im2colForm : std::uint8_t {
  blocks,        // one group, or groups of whole blocks: x and dx in blocks, padded with zeros
  thin_plain,    // one group with fewer channels than lanes, x in NCHW; not in backward_data
  thin_blocked,  // the same with x in one block of lanes
};

struct Im2colSpec {
  ConvGeometry geometry;
  Pass pass = Pass::forward;
  Im2colForm form = Im2colForm::blocks;
  bool is_explicit = false;  // materialise the column matrix of whole images
  int threads = 1;
};

// Null where the pass does not use it. y, dy and dx are in blocks of L channels, weights as
// im2col_weight_tag says.
struct Im2colArgs {
  const float* x = nullptr;
  const float* weights = nullptr;
  const float* bias = nullptr;
  const float* dy = nullptr;
  float* y = nullptr;
  float* dx = nullptr;
  float* dw = nullptr;
  bool accumulate = false;  // dw +=
};

class Im2colPass {
 public:
  explicit Im2colPass(const Im2colSpec& spec);

  std::int64_t scratch_count() const;  // floats, for all threads
  // Overwrites y, dx or dw; the bias gradient is not its business.
  void run(const Im2colArgs& args, float* scratch) const noexcept;

 private:
  void prepare_forward(const Im2colSpec& spec);
  void prepare_backward_data(const Im2colSpec& spec);
  void prepare_weights(const Im2colSpec& spec);

  void run_gathers(const GatherOperands& operands, float* scratch) const noexcept;

  int threads_;
  std::vector<GatherProduct> gathers_;  // forward: one; backward_data: one a phase of the strides, cut alike
  std::optional<ThinProduct> thin_;
  std::optional<FramedProduct> framed_;
  std::optional<RaiseProduct> raise_;
  std::optional<WeightsProduct> weights_;
};

// Forward's lowering: x to y, taps row-major.
Lowering forward_lowering(const ConvGeometry& g);

}  // namespace convoy::kernels::cpu
