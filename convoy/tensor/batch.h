// The examples of one step on one rank.
#pragma once

#include <cstdint>
#include <span>

#include "convoy/tensor/view.h"

namespace convoy::tensor {

// `inputs` is {N, sample shape…} float; labels has N class indices (empty for unsupervised tasks, where
// the target is the input itself). Borrowed from whoever made it, valid until the next one is asked for.
struct Batch {
  ConstView inputs;
  std::span<const std::int32_t> labels;
  std::int64_t size = 0;  // N, samples on this rank
  std::int64_t global_size =
      0;  // samples of the whole step, over all ranks: the denominator of the mean loss
};

}  // namespace convoy::tensor
