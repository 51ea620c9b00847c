#include "convoy/kernels/catalog.h"

#include "convoy/kernels/onednn/entries.h"

namespace convoy::kernels {

Catalog onednn_catalog() {
  Catalog entries{onednn::average_pool_entry(),
                  onednn::batch_norm_entry(),
                  onednn::binary_product_entry(),
                  onednn::concat_entry(),
                  onednn::conv_entry(),
                  onednn::conv_winograd_entry(),
                  onednn::lrn_entry(),
                  onednn::global_average_pool_entry(),
                  onednn::inner_product_entry(),
                  onednn::max_pool_entry()};
  for (const Catalog& part : {onednn::eltwise_entries(), onednn::softmax_entries()})
    entries.insert(entries.end(), part.begin(), part.end());
  return entries;
}

}  // namespace convoy::kernels
