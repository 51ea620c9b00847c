#include "convoy/kernels/catalog.h"

namespace convoy::kernels {

// Our own first: an entry stands in cpu_catalog() because it was measured to be faster, or because the
// library has no such operator. The reference closes the list.
const Catalog& catalog() {
  static const Catalog all = [] {
    Catalog entries = cpu_catalog();
    for (Catalog part : {onednn_catalog(), reference_catalog()})
      entries.insert(entries.end(), part.begin(), part.end());
    return entries;
  }();
  return all;
}

const KernelEntry* find(const Catalog& catalog, std::string_view op, std::string_view name) {
  for (const KernelEntry& entry : catalog)
    if (entry.name == name && (entry.op == op || entry.op == "*")) return &entry;
  return nullptr;
}

}  // namespace convoy::kernels
