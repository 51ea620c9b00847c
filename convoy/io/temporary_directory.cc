#include "convoy/io/temporary_directory.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "convoy/base/error.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"

namespace convoy::io {

TemporaryDirectory::TemporaryDirectory() {
  const char* variable = std::getenv("TMPDIR");
  path_ = join_path(variable != nullptr && *variable != '\0' ? variable : "/tmp", "convoy-XXXXXX");
  if (::mkdtemp(path_.data()) == nullptr) throw base::FileError(path_, "make the directory", errno);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // a destructor can do no more than try
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::write(std::string_view name, std::string_view contents) const {
  const std::string path = file(name);
  make_directories(parent_directory(path));
  write_file_atomically(path, contents);
  return path;
}

}  // namespace convoy::io
