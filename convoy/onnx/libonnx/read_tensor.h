// Tensors of the format.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "convoy/io/file.h"
#include "convoy/onnx/file_model.h"

namespace onnx {
class TensorProto;
}

namespace convoy::onnx {

// Turns TensorProtos of one file into values. Not thread-safe.
class TensorReader {
 public:
  // `directory`: where external data may lie; empty: nowhere.
  TensorReader(std::string file, std::string directory)
      : file_(std::move(file)), directory_(std::move(directory)) {}

  // Checks sizes before anything of their size is allocated, and frees the proto's own copy of the values.
  // Throws InputError.
  FileTensor read(::onnx::TensorProto& proto);

 private:
  [[noreturn]] void fail(const ::onnx::TensorProto& proto, const std::string& problem) const;
  std::int64_t count_of(const ::onnx::TensorProto& proto) const;
  std::string bytes_of(::onnx::TensorProto& proto, std::int64_t wanted);
  std::string external_bytes(const ::onnx::TensorProto& proto, std::int64_t wanted);
  const io::RandomAccessFile& open(const ::onnx::TensorProto& proto, const std::string& location);
  template <class Stored, class Fields, class Prepare, class Take>
  void each_value(::onnx::TensorProto& proto, const Fields& fields, Prepare&& prepare, Take&& take);
  void read_reals(::onnx::TensorProto& proto, FileTensor& tensor);

  std::string file_;
  std::string directory_;
  std::map<std::string, std::shared_ptr<const io::RandomAccessFile>> external_;
};

}  // namespace convoy::onnx
