// Whether all pictures of a set can be read, and what they are like.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "convoy/data/picture_store.h"

namespace convoy::data {

struct PictureSummary {
  std::int64_t checked = 0;
  std::int64_t bytes = 0;  // of the files that could be read
  // Of the pictures that could be decoded; 0 where there is none.
  std::int64_t least_width = 0, most_width = 0;
  std::int64_t least_height = 0, most_height = 0;
  std::vector<std::string> problems;  // "FILE: what is wrong", in the order of the store
};

// Reads and decodes every picture of a store on `threads` threads. `on_progress` gets the number of pictures
// that are done, on the calling thread, and returns false to stop early. Memory does not grow with the set,
// but for problems.
PictureSummary check_pictures(const PictureStore& store, int threads,
                              const std::function<bool(std::int64_t done)>& on_progress);

}  // namespace convoy::data
