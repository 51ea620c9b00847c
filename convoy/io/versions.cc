#include "convoy/io/versions.h"

#include <lzma.h>
#include <openssl/crypto.h>
#include <zlib.h>

namespace convoy::io {

std::vector<base::LibraryVersion> library_versions() {
  return {{"zlib", ZLIB_VERSION, zlibVersion()},
          {"liblzma", LZMA_VERSION_STRING, lzma_version_string()},
          {"OpenSSL", OPENSSL_VERSION_STR, OpenSSL_version(OPENSSL_VERSION_STRING)}};
}

}  // namespace convoy::io
