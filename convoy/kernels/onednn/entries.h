// The entries of this folder, one a primitive family. catalog.cc lists them.
#pragma once

#include <vector>

#include "convoy/kernels/kernel.h"

namespace convoy::kernels::onednn {

KernelEntry average_pool_entry();
KernelEntry batch_norm_entry();
KernelEntry concat_entry();
KernelEntry conv_entry();
KernelEntry conv_winograd_entry();
std::vector<KernelEntry> eltwise_entries();  // Relu, LeakyRelu, Sigmoid, Tanh
KernelEntry global_average_pool_entry();
KernelEntry inner_product_entry();
KernelEntry lrn_entry();
KernelEntry max_pool_entry();
std::vector<KernelEntry> softmax_entries();  // Softmax, LogSoftmax
KernelEntry binary_product_entry();          // Add, Sum, Mul

}  // namespace convoy::kernels::onednn
