// The third-party libraries that this folder wraps.
#pragma once

#include <vector>

#include "convoy/base/library_version.h"

namespace convoy::data {

// The versions of libpng, TurboJPEG and libcurl.
std::vector<base::LibraryVersion> library_versions();

}  // namespace convoy::data
