// The third-party libraries that this folder wraps.
#pragma once

#include <vector>

#include "convoy/base/library_version.h"

namespace convoy::io {

// The versions of zlib, liblzma and OpenSSL.
std::vector<base::LibraryVersion> library_versions();

}  // namespace convoy::io
