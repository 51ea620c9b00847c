// A directory for the time of a test or a tool's run.
#pragma once

#include <string>
#include <string_view>

namespace convoy::io {

// Makes a fresh, private directory under $TMPDIR (or /tmp) and removes it with all its contents at the end.
// Throws FileError.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  // The path of an entry, existing or not.
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  // Writes an entry and gives its path.
  std::string write(std::string_view name, std::string_view contents) const;

 private:
  std::string path_;
};

}  // namespace convoy::io
