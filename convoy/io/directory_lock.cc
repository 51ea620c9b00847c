#include "convoy/io/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "convoy/base/error.h"
#include "convoy/io/file.h"

namespace convoy::io {
namespace {

// The process id that the holder wrote, or "unknown" while it is between taking the lock and writing it.
std::string holder_of(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t got = ::pread(descriptor, text.data(), text.size() - 1, 0);
  std::string pid;
  for (ssize_t i = 0;
       i < got && text[static_cast<std::size_t>(i)] >= '0' && text[static_cast<std::size_t>(i)] <= '9'; ++i)
    pid += text[static_cast<std::size_t>(i)];
  return pid.empty() ? "unknown" : pid;
}

}  // namespace

base::Result<DirectoryLock> DirectoryLock::acquire(const std::string& directory) {
  const std::string path = join_path(directory, ".lock");
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) throw base::FileError(path, "open", errno);
  DirectoryLock lock(descriptor);
  int result = 0;
  do {
    result = ::flock(descriptor, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno == EWOULDBLOCK)
    return base::Reason{base::str(directory, ": in use by process ", holder_of(descriptor),
                                  "; give another directory or wait until it ends")};
  if (result != 0) throw base::FileError(path, "lock", errno);
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, pid.data(), pid.size(), 0) < 0)
    throw base::FileError(path, "write", errno);
  return base::Result<DirectoryLock>(std::move(lock));
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

DirectoryLock::~DirectoryLock() {
  // The file stays: removing it would let a third process lock a new one while a second still waits here.
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace convoy::io
