// The format itself: protobuf in, protobuf out. Without libonnx in the build, every call but is_available
// throws UsageError with one line that says so.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/base/library_version.h"
#include "convoy/io/file.h"
#include "convoy/onnx/file_model.h"

namespace convoy::onnx {

// Whether this build can read and write ONNX.
bool is_available();
// The version of libonnx; empty without it.
std::vector<base::LibraryVersion> library_versions();

// Reads a model. Checks what concerns bytes: that the protobuf is whole, that sizes are no negative numbers
// and that every tensor has as many values as they say, that external data lies below `directory` (not
// outside by "..", an absolute path or a symbolic link) and inside its file. What a tensor holds in a type
// that Convoy does not compute with is not read. Throws InputError naming file, tensor and problem.
FileModel read_model(const std::shared_ptr<const io::RandomAccessFile>& file, const std::string& directory);
// Reads one tensor, as test vectors are stored. Throws InputError.
FileTensor read_tensor(const std::shared_ptr<const io::RandomAccessFile>& file);

struct WriteOptions {
  // Models whose tensors take more than this have them in PATH.data beside the model, each from a multiple of
  // 4096 bytes on: protobuf ends at 2 GB.
  std::int64_t external_above_bytes = std::int64_t{1'900} << 20;
};

// Writes the model and, where it is too large for one file, its data; each file appears whole or not at all,
// the model last. The model passes ONNX's checker: one that does not is a bug. Throws FileError.
void write_model(const std::string& path, const FileModel& model, const WriteOptions& options = {});

}  // namespace convoy::onnx
