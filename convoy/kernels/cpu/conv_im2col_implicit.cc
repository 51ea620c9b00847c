// Convolution as a matrix product by implicit lowering: each thread lowers what its second cache holds, and
// multiplies it at once.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/conv_im2col_kernel.h"
#include "convoy/kernels/cpu/entries.h"

namespace convoy::kernels::cpu {

KernelEntry conv_im2col_implicit_entry() {
  return {.name = "im2col:implicit",
          .op = "Conv",
          .supports = supports_im2col,
          .make = [](const Problem& problem) { return make_im2col(problem, false); },
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return im2col_seconds(problem, machine, false); },
          .error_growth = convolution_error_growth};
}

}  // namespace convoy::kernels::cpu
