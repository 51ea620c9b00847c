#include "convoy/data/readers/locate.h"

#include <cstdlib>

#include "convoy/base/error.h"
#include "convoy/io/file.h"

namespace convoy::data {

DataPlace locate_data(const DatasetRequest& request, const std::string& name) {
  if (!request.data_dir.empty()) return {io::join_path(request.data_dir, name), false};
  const char* root = std::getenv("CONVOY_DATA_DIR");
  if (root != nullptr && *root != '\0') return {io::join_path(root, name), false};
  const std::string cache = io::cache_directory();
  if (cache.empty())
    throw base::UsageError(
        "no place for data: give --data-dir, or set CONVOY_DATA_DIR, XDG_CACHE_HOME or HOME");
  return {io::join_path(cache, name), true};
}

std::string find_packed(const std::string& directory, std::string_view stem) {
  for (const std::string_view ending : {"", ".gz", ".xz"}) {
    std::string path = io::join_path(directory, std::string(stem) + std::string(ending));
    if (io::file_exists(path)) return path;
  }
  return {};
}

}  // namespace convoy::data
