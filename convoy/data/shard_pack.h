// Packing pictures into tar shards.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "convoy/data/pictures.h"

namespace convoy::data {

struct PackConfig {
  std::string output;                                  // a directory that does not exist yet
  std::int64_t shard_bytes = std::int64_t{256} << 20;  // a shard ends with the picture that reaches it
  std::uint64_t seed = 1;                              // of the order
};

struct PackProgress {
  std::int64_t done = 0;  // pictures
  std::int64_t total = 0;
  std::int64_t bytes = 0;  // of pictures
};

// A packed part: "train", "val" or "all".
struct PackedPart {
  std::string name;
  std::int64_t pictures = 0;
  std::int64_t classes = 0;
  std::int64_t shards = 0;
  std::int64_t bytes = 0;  // of the shards
};

struct PackResult {
  std::vector<PackedPart> parts;
  bool complete = false;  // false: stopped, and nothing was written
};

// Packs the parts of `place` into OUTPUT/PART-000000.tar, … with OUTPUT/PART.index: "train" and "val", or
// "all" where there is no test part. An entry KEY.jpg (or the picture's own ending) is followed by KEY.cls,
// the number of its class; KEY is CLASS/NAME, dots in it replaced and numbered where two would be alike. The
// order is a permutation drawn from the seed, so that readers who go through a shard from front to back meet
// all classes. Bytes are copied, not decoded. The directory appears whole or not at all. `on_progress` is
// called for every picture and returns false to stop. Memory grows with the number of pictures (their records
// and keys), not with their bytes. Throws UsageError where the output exists, InputError for pictures that
// cannot be read, FileError.
PackResult pack_shards(const PicturePlace& place, const PackConfig& config,
                       const std::function<bool(const PackProgress&)>& on_progress);

}  // namespace convoy::data
