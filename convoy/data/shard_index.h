// The index of a set of tar shards: where each picture lies. docs/formats.md, "Shards", has it byte by byte.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "convoy/io/file.h"

namespace convoy::data {

// Where a picture's bytes are, and their checksum.
struct ShardRecord {
  std::int64_t offset_bytes = 0;  // in the shard's file
  std::int64_t size_bytes = 0;    // below 2^32
  std::uint32_t crc32 = 0;
  std::int32_t shard = 0;

  friend bool operator==(const ShardRecord&, const ShardRecord&) = default;
};

struct ShardFile {
  std::string name;  // without folders: the shard lies beside the index
  std::int64_t size_bytes = 0;
  std::string sha256;

  friend bool operator==(const ShardFile&, const ShardFile&) = default;
};

struct ShardClass {
  std::string name;
  std::int64_t count = 0;

  friend bool operator==(const ShardClass&, const ShardClass&) = default;
};

// All but the records.
struct ShardSummary {
  std::vector<ShardClass> classes;
  std::vector<ShardFile> shards;

  std::int64_t count() const;  // pictures
  friend bool operator==(const ShardSummary&, const ShardSummary&) = default;
};

// Reads records by position, so that memory does not grow with the set. Thread-safe.
class ShardIndex {
 public:
  // Checks the header, the length and the records' checksum. Throws InputError naming the file and the
  // problem.
  explicit ShardIndex(std::shared_ptr<const io::RandomAccessFile> file);

  const ShardSummary& summary() const { return summary_; }
  // Pictures lie class by class. Throws InputError for a record that points outside of its shard.
  ShardRecord record(std::int64_t index) const;

 private:
  std::shared_ptr<const io::RandomAccessFile> file_;
  ShardSummary summary_;
  std::int64_t records_begin_ = 0;
};

// Writes an index atomically. Requires as many records as the summary counts.
void write_shard_index(const std::string& path, const ShardSummary& summary,
                       const std::vector<ShardRecord>& records);

}  // namespace convoy::data
