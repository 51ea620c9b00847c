// The entries of this folder, one a file. catalog.cc lists them.
#pragma once

#include "convoy/kernels/kernel.h"

namespace convoy::kernels::cpu {

KernelEntry batch_norm_entry();
KernelEntry conv_direct_batch_entry();
KernelEntry conv_direct_entry();
KernelEntry conv_fft_entry();
KernelEntry conv_fft_lean_entry();
KernelEntry conv_winograd_f2_entry();
KernelEntry conv_winograd_f2r5_entry();
KernelEntry conv_winograd_f4_entry();
KernelEntry conv_winograd_f6_entry();
KernelEntry conv_winograd_f7_entry();
KernelEntry conv_im2col_entry();
KernelEntry conv_im2col_implicit_entry();
KernelEntry dropout_entry();
KernelEntry gemm_backward_weights_entry();
KernelEntry locally_connected_autoencoder_entry();
KernelEntry locally_connected_entry();
KernelEntry lp_pool_entry();
KernelEntry max_pool_innermost_entry();
KernelEntry max_pool_entry();
KernelEntry mean_squared_error_entry();
KernelEntry pad_entry();
KernelEntry relu_entry();
KernelEntry softmax_cross_entropy_loss_entry();
std::vector<KernelEntry> sum_entries();  // of Add and Sum

}  // namespace convoy::kernels::cpu
