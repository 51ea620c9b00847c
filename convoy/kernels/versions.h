// The third-party libraries that this folder wraps.
#pragma once

#include <string>
#include <vector>

#include "convoy/base/library_version.h"

namespace convoy::kernels {

// The versions of oneDNN and Highway.
std::vector<base::LibraryVersion> library_versions();

// The instruction set that our own kernels run with here, as Highway names it: "AVX3_ZEN4", "AVX2".
std::string simd_target();

}  // namespace convoy::kernels
