// The build without libonnx.
#include "convoy/onnx/codec.h"
#include "convoy/base/error.h"

namespace convoy::onnx {
namespace {

[[noreturn]] void refuse() {
  throw base::UsageError(
      "this build of convoy has no ONNX: install libonnx-dev (tools/setup full) and build it again");
}

}  // namespace

bool is_available() { return false; }
std::vector<base::LibraryVersion> library_versions() { return {}; }
FileModel read_model(const std::shared_ptr<const io::RandomAccessFile>&, const std::string&) { refuse(); }
FileTensor read_tensor(const std::shared_ptr<const io::RandomAccessFile>&) { refuse(); }
void write_model(const std::string&, const FileModel&, const WriteOptions&) { refuse(); }

}  // namespace convoy::onnx
