// One run in one directory.
#pragma once

#include <string>

#include "convoy/base/result.h"

namespace convoy::io {

// Holds the exclusive lock of a directory (flock on its ".lock", which also names the process) until it is
// destroyed or the process ends, however it ends. Movable.
class DirectoryLock {
 public:
  // Takes the lock, or says which process holds it; does not wait. Throws FileError where the lock file
  // cannot be made.
  static base::Result<DirectoryLock> acquire(const std::string& directory);

  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

}  // namespace convoy::io
