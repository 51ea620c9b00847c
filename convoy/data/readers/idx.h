// The IDX format of MNIST: a big-endian header and unsigned bytes.
//
//   images   int32 2051, count, rows, columns; then count × rows × columns bytes
//   labels   int32 2049, count; then count bytes
//
// Source: yann.lecun.com/exdb/mnist, "File formats for the MNIST database".
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "convoy/io/file.h"

namespace convoy::data {

// The images of an IDX file, read by position. Thread-safe.
class IdxImages {
 public:
  // Checks the header and that the file has exactly the bytes it announces. Throws InputError naming the
  // file and the bytes expected and found.
  explicit IdxImages(std::shared_ptr<const io::RandomAccessFile> file);

  std::int64_t count() const { return count_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  // Writes image `index` row by row; 0 <= index < count, pixels.size() == rows × columns.
  void read(std::int64_t index, std::span<std::uint8_t> pixels) const;

 private:
  std::shared_ptr<const io::RandomAccessFile> file_;
  std::int64_t count_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
};

// All labels of an IDX file, each checked to be below `class_count`. Throws InputError, naming the first bad
// label and its byte.
std::vector<std::uint8_t> read_idx_labels(const io::RandomAccessFile& file, int class_count);

}  // namespace convoy::data
