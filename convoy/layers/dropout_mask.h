// Which elements a Dropout layer drops: one rule for the reference and every kernel.
#pragma once

#include <array>
#include <cstdint>

#include "convoy/base/rng.h"

namespace convoy::layers {

// The draws of one Dropout layer in one step. Element i (row-major within its sample) of the sample with
// index g within the global minibatch is dropped iff
//
//   philox4x32(counter = {i / 4, g, id[2], id[3]}, key = {id[0], id[1]})[i % 4]  <  threshold(ratio)
//   id = philox4x32({step low, step high, layer_index, Purpose::dropout}, {seed low, seed high})
//
// with i / 4 < 2^32 and g < 2^32: that is RandomStream(seed, dropout, step, layer_index) read at block
// i/4 + 2^32 * g. Every four consecutive elements of a sample cost one call, samples never share a call, and
// nothing depends on threads, ranks or the number of samples. Immutable, hence thread-safe.
// Source of the generator: Salmon et al. 2011; see base/rng.h.
class DropoutMask {
 public:
  // `layer_index` < 2^32, checked.
  DropoutMask(const base::StepKey& key, std::int64_t layer_index);

  // The four draws of elements 4*block … 4*block + 3 of global sample g.
  std::array<std::uint32_t, 4> draw(std::uint32_t block, std::uint32_t g) const {
    return base::philox4x32({block, g, id_[2], id_[3]}, {id_[0], id_[1]});
  }

  // floor(ratio * 2^32): a draw below it drops. 0 <= ratio < 1.
  static std::uint32_t threshold(double ratio);

  // What kernels need to compute draw() in vector registers.
  const std::array<std::uint32_t, 4>& id() const { return id_; }

 private:
  std::array<std::uint32_t, 4> id_;
};

}  // namespace convoy::layers
