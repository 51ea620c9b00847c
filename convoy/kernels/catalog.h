// All kernels of this build, in order of preference; the float64 reference is last and serves everything.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/kernels/kernel.h"

namespace convoy::kernels {

// A backend's entries, ordered. An absent backend is an empty catalog.
using Catalog = std::vector<KernelEntry>;

Catalog onednn_catalog();
Catalog cpu_catalog();
Catalog reference_catalog();

// cpu, onednn and reference entries, interleaved by preference.
const Catalog& catalog();

// The entry of that name for the op, or null.
const KernelEntry* find(const Catalog& catalog, std::string_view op, std::string_view name);

}  // namespace convoy::kernels
