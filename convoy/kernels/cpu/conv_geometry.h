// The numbers of one 2-D convolution, as every algorithm of this folder needs them.
#pragma once

#include <cstdint>

#include "convoy/base/result.h"
#include "convoy/kernels/kernel.h"

namespace convoy::kernels::cpu {

// docs/notation.md: y[n,k,p,q] = b[k] + sum over c,r,s of x[n, c, p stride_h - pad_top + r dilation_h,
// q stride_w - pad_left + s dilation_w] w[k,c,r,s], where x is 0 outside and c runs over the channels of k's
// group. A 1-D convolution is one of height 1.
struct ConvGeometry {
  std::int64_t n = 0, c = 0, h = 0, w = 0;
  std::int64_t k = 0, r = 0, s = 0, p = 0, q = 0;
  std::int64_t groups = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  bool has_bias = false;
  bool relu = false;  // fused into forward

  // Refuses what is no float32 convolution of one or two spatial dimensions, and processors below AVX2,
  // with the reason.
  static base::Result<ConvGeometry> of(const Problem& problem);

  std::int64_t c_per_group() const { return c / groups; }
  std::int64_t k_per_group() const { return k / groups; }
  bool is_depthwise() const { return groups > 1 && groups == c && groups == k; }
  bool unit_stride() const { return stride_h == 1 && stride_w == 1; }
  bool unit_dilation() const { return dilation_h == 1 && dilation_w == 1; }
  double macs() const {
    return static_cast<double>(n * k * p * q) * static_cast<double>(c_per_group() * r * s);
  }
};

}  // namespace convoy::kernels::cpu
