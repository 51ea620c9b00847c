#include "convoy/kernels/catalog.h"

#include "convoy/kernels/onednn/entries.h"

namespace convoy::kernels {

Catalog onednn_catalog() {
  Catalog entries{onednn::conv_entry(), onednn::inner_product_entry(), onednn::max_pool_entry(),
                  onednn::average_pool_entry(), onednn::global_average_pool_entry()};
  for (const KernelEntry& entry : onednn::eltwise_entries()) entries.push_back(entry);
  return entries;
}

}  // namespace convoy::kernels
