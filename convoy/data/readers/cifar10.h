// CIFAR-10: 50000 + 10000 colour pictures of 32×32 pixels in ten classes.
//
//   a batch file is 10000 records of 3073 bytes: the class, then 1024 red, 1024 green and 1024 blue values,
//   each plane row by row.
//
// Source: www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "convoy/data/dataset.h"
#include "convoy/io/file.h"

namespace convoy::data {

inline constexpr std::int64_t kCifarBatchRecords = 10000;

// One batch file, read by position; the classes are kept. Thread-safe.
class CifarBatch {
 public:
  // Checks the size and every class. `expected_records` 0 accepts any number from one on. Throws InputError
  // naming the file and the bytes expected and found, or the record whose class is out of range.
  CifarBatch(std::shared_ptr<const io::RandomAccessFile> file, std::int64_t expected_records);

  std::int64_t count() const { return std::ssize(labels_); }
  // Writes the 3×32×32 values of record `index` and returns its class.
  std::int32_t read(std::int64_t index, std::span<std::uint8_t> pixels) const;

 private:
  std::shared_ptr<const io::RandomAccessFile> file_;
  std::vector<std::uint8_t> labels_;
};

// Opens ROOT/cifar10/data_batch_{1…5}.bin or test_batch.bin, plain, .gz or .xz (see locate_data for ROOT).
// Absent training batches are named in the notes; where ROOT is the cache and the split has no file, the
// archive is downloaded and unpacked first. Throws InputError for a split without files and for bad ones.
std::unique_ptr<Dataset> open_cifar10(const DatasetRequest& request);

}  // namespace convoy::data
