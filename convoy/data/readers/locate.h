// Where the files of a data set are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "convoy/data/dataset.h"

namespace convoy::data {

// The folder of one data set.
struct DataPlace {
  std::string directory;
  bool may_download = false;  // the folder is Convoy's own, in the cache
};

// `name` below request.data_dir, else below $CONVOY_DATA_DIR, else below the cache, where files may be
// downloaded. Throws UsageError where there is no cache either.
DataPlace locate_data(const DatasetRequest& request, const std::string& name);

// The first of DIRECTORY/STEM, with "", ".gz" or ".xz" behind, that is a file; empty where none is.
std::string find_packed(const std::string& directory, std::string_view stem);

}  // namespace convoy::data
