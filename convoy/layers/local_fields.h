// The products of layers with local receptive fields and weights of their own at each place.
#pragma once

#include <span>

#include "convoy/layers/support.h"
#include "convoy/layers/window.h"

namespace convoy::layers {

// Of one sample, in float64. An image is {C, H, W…}, a code {K, P, Q…}, weights {P·Q…, K, C·R·S…}; `p` counts
// the places and `r` the taps row-major, and x is zero outside its bounds:
//
//   encode  code[k,p] += sum over c, r of  w[p,k,c,r] * x[c, p*stride - pad + r]
//   decode  its transpose:  x[c, p*stride - pad + r] += w[p,k,c,r] * code[k,p]
//   weigh   its gradient:   w[p,k,c,r] += code[k,p] * x[c, p*stride - pad + r]
//
// All add, in a fixed order. Source: Coates, Huval, Wang, Wu, Ng, Catanzaro, Deep Learning with COTS HPC
// Systems, 2013, section 3.
class LocalFields {
 public:
  LocalFields(const Window& window, std::int64_t channels, std::int64_t maps);

  std::size_t image_count() const { return channels_ * pixels_; }
  std::size_t code_count() const { return maps_ * places_; }

  void encode(std::span<const double> x, std::span<const double> w, std::span<double> code) const;
  void decode(std::span<const double> code, std::span<const double> w, std::span<double> x) const;
  void weigh(std::span<const double> x, std::span<const double> code, std::span<double> w) const;

 private:
  template <class Visit>
  void for_each_code(Visit&& visit) const;

  std::size_t channels_, maps_, places_, pixels_, taps_;
  std::vector<std::int64_t> offsets_;  // of tap_offsets
};

// Shape {P·Q…, K, C·R·S…} of the weights, or why there are none of such a size.
base::Result<tensor::Shape> local_weights(const Window& window, std::int64_t channels, std::int64_t maps);

}  // namespace convoy::layers
