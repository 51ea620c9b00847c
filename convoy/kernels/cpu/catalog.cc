#include "convoy/kernels/catalog.h"
#include "convoy/kernels/cpu/entries.h"

namespace convoy::kernels {

// Convolution algorithms of our own are added here, one line each.
Catalog cpu_catalog() {
  Catalog entries{cpu::batch_norm_entry(),
                  cpu::conv_direct_batch_entry(),
                  cpu::conv_direct_entry(),
                  cpu::conv_fft_entry(),
                  cpu::conv_fft_lean_entry(),
                  cpu::conv_winograd_f2_entry(),
                  cpu::conv_winograd_f2r5_entry(),
                  cpu::conv_winograd_f4_entry(),
                  cpu::conv_winograd_f6_entry(),
                  cpu::conv_winograd_f7_entry(),
                  cpu::conv_im2col_entry(),
                  cpu::conv_im2col_implicit_entry(),
                  cpu::dropout_entry(),
                  cpu::gemm_backward_weights_entry(),
                  cpu::locally_connected_autoencoder_entry(),
                  cpu::locally_connected_entry(),
                  cpu::lp_pool_entry(),
                  cpu::max_pool_entry(),
                  cpu::max_pool_innermost_entry(),
                  cpu::mean_squared_error_entry(),
                  cpu::pad_entry(),
                  cpu::relu_entry(),
                  cpu::softmax_cross_entropy_loss_entry()};
  const Catalog sums = cpu::sum_entries();
  entries.insert(entries.end(), sums.begin(), sums.end());
  return entries;
}

}  // namespace convoy::kernels
