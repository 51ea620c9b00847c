// The three products of layers with local receptive fields, in float32, vectorised over samples.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/layers/window.h"

namespace convoy::kernels::cpu {

// One sample's sizes and where each place looks. In these products arrays have the samples innermost, padded
// with zeros to whole vectors: with row() = N' floats a
// row,
//
//   images xt {C, pixels, N'},   codes yt {K, places, N'},   weights w {places, K, C, taps} as the layer has
//   them.
//
// Every method runs on the compute team, divided so that no sum is: the bits do not depend on the thread
// count. It overwrites, unless it is told to accumulate. Nothing is allocated. Requires aligned arrays.
class LocalProducts {
 public:
  LocalProducts(const layers::Window& window, std::int64_t channels, std::int64_t maps, std::int64_t samples);

  std::int64_t row() const { return row_; }  // N'
  std::int64_t image_rows() const { return channels_ * pixels_; }
  std::int64_t code_rows() const { return maps_ * places_; }

  // code[k,p] = b[k,p] + sum over c, r of w[p,k,c,r] x[c, p + r]; `bias` may be null.
  void encode(const float* xt, const float* w, const float* bias, bool accumulate, float* yt) const noexcept;
  // x[c,q] = sum over k and the p, r that meet q of w[p,k,c,r] code[k,p].
  void decode(const float* yt, const float* w, float* xt) const noexcept;
  // w[p,k,c,r] = sum over samples of code[k,p] x[c, p + r]; 0 where a field reaches beyond the image.
  void weigh(const float* xt, const float* yt, bool accumulate, float* w) const noexcept;
  // b[k,p] = sum over samples of code[k,p].
  void sum_samples(const float* yt, float* bias) const noexcept;

  struct Tap {
    std::int32_t index;   // among the field's
    std::int32_t offset;  // of the pixel
  };
  // What the vectorised loops need of one place.
  struct Place {
    const Tap* taps = nullptr;  // inside the image
    std::int64_t count = 0;
    std::int64_t channels = 0, maps = 0, field = 0, pixels = 0, places = 0, row = 0;
  };

 private:
  Place place(std::int64_t p) const;

  std::int64_t channels_, maps_, row_;
  std::int64_t field_, pixels_, places_;
  std::vector<Tap> taps_;             // of all places, one after the other
  std::vector<std::int64_t> begins_;  // of each place in taps_, and the end
};

}  // namespace convoy::kernels::cpu
