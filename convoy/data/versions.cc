#include "convoy/data/versions.h"

#include <curl/curl.h>
#include <png.h>

namespace convoy::data {

std::vector<base::LibraryVersion> library_versions() {
  // TurboJPEG's interface has no function and no macro for its version.
  return {{"libpng", PNG_LIBPNG_VER_STRING, png_get_libpng_ver(nullptr)},
          {"TurboJPEG", "", ""},
          {"libcurl", LIBCURL_VERSION, curl_version_info(CURLVERSION_NOW)->version}};
}

}  // namespace convoy::data
