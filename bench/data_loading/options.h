// What the data_loading benchmark was asked to do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoy::bench {

struct LoadingOptions {
  std::string data;  // "folder:PATH" or "shards:PATH"
  std::string augment = "resized_crop,flip";
  std::int64_t image_size = 224;
  std::int64_t batch = 32;
  std::int64_t images = 256;  // of one sample of one side
  int workers = 1;            // of the loader that trains
  int repetitions = 15;
  // Also train this model from the data and from one synthetic batch.
  std::string model;
  int threads = 2;
  double seconds = 2;  // of one sample of training
  bool json = false;
  bool help = false;
  std::string record;
};

// Throws UsageError.
LoadingOptions parse_loading_options(const std::vector<std::string>& arguments);
std::string loading_help();

}  // namespace convoy::bench
