// Tensors in a file that Python can load: the safetensors format.
//
//   8 bytes   length L of the header, little-endian
//   L bytes   JSON {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, …,
//             "__metadata__": {"KEY": "TEXT", …}}, padded with spaces to a multiple of 8
//   the rest  the tensors, row-major and little-endian, without gaps; offsets count from here
//
// Source: the format description of github.com/huggingface/safetensors.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"
#include "convoy/io/sha256.h"
#include "convoy/tensor/view.h"

namespace convoy::io {

inline constexpr std::int64_t kMaxSafetensorsHeader_bytes = 100'000'000;

using Metadata = std::map<std::string, std::string>;

// What a tensor of a file is, before there are values.
struct TensorSpec {
  std::string name;
  tensor::DType type = tensor::DType::f32;
  tensor::Shape shape;
};

// A tensor of a file and where it lies.
struct StoredTensor {
  std::string name;
  tensor::DType type = tensor::DType::f32;
  tensor::Shape shape;
  std::int64_t offset_bytes = 0;  // of the first byte, from the start of the file
  std::int64_t size_bytes = 0;
};

// Reads the header at once and tensors on demand. Thread-safe.
class SafetensorsReader {
 public:
  // Checks the whole header: lengths, JSON, names, types, shapes, and that the tensors cover the rest of the
  // file without gap or overlap. Throws InputError naming the file, the position or tensor, and the problem.
  explicit SafetensorsReader(const std::string& path) : SafetensorsReader(open_file(path)) {}
  explicit SafetensorsReader(std::shared_ptr<const RandomAccessFile> file);

  const std::string& name() const { return file_->name(); }
  const Metadata& metadata() const { return metadata_; }
  // In the order of the file.
  std::span<const StoredTensor> tensors() const { return tensors_; }
  // The tensor of that name, or null.
  const StoredTensor* find(std::string_view name) const;

  // Reads a tensor into `out`, which must have its type and as many elements. Throws InputError.
  void read(const StoredTensor& stored, tensor::View out) const;
  tensor::Tensor read(const StoredTensor& stored) const;

 private:
  std::shared_ptr<const RandomAccessFile> file_;
  Metadata metadata_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

// Writes a file one tensor after another, so that memory does not grow with the file. The file appears on
// commit and not before; without it nothing stays.
class SafetensorsWriter {
 public:
  // Writes the header for `specs`, whose order the tensors must then follow. Tensors are unaligned unless
  // wider types come before narrower ones. Names must differ and not be "__metadata__". Throws FileError.
  SafetensorsWriter(const std::string& path, std::vector<TensorSpec> specs, const Metadata& metadata = {},
                    FileCalls calls = {});

  // Writes the next tensor, of the type and shape that were announced. Throws FileError.
  void write(tensor::ConstView values);
  // Makes the file visible and durable; every tensor must have been written. Returns its SHA-256.
  std::string commit();

 private:
  void append(std::span<const std::byte> bytes);

  std::vector<TensorSpec> specs_;
  std::size_t next_ = 0;
  Sha256 sum_;
  AtomicFile file_;
};

}  // namespace convoy::io
