// The entries of this folder, one a primitive family. catalog.cc lists them.
#pragma once

#include <vector>

#include "convoy/kernels/kernel.h"

namespace convoy::kernels::onednn {

KernelEntry conv_entry();
KernelEntry inner_product_entry();
KernelEntry max_pool_entry();
KernelEntry average_pool_entry();
KernelEntry global_average_pool_entry();
std::vector<KernelEntry> eltwise_entries();  // Relu, LeakyRelu, Sigmoid, Tanh

}  // namespace convoy::kernels::onednn
