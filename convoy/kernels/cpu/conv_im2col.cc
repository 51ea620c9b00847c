// Convolution as a matrix product by explicit lowering: the column matrix of whole images in the workspace,
// then products. The memory that takes is this algorithm's price.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/conv_im2col_kernel.h"
#include "convoy/kernels/cpu/entries.h"

namespace convoy::kernels::cpu {

KernelEntry conv_im2col_entry() {
  return {.name = "im2col",
          .op = "Conv",
          .supports = supports_im2col,
          .make = [](const Problem& problem) { return make_im2col(problem, true); },
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return im2col_seconds(problem, machine, true); },
          .error_growth = convolution_error_growth};
}

}  // namespace convoy::kernels::cpu
