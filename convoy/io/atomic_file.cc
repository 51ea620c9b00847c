#include "convoy/io/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/file.h"

namespace convoy::io {
namespace {

namespace fs = std::filesystem;
using base::FileError;

constexpr int kMaxTemporaries = 10000;  // names tried in one directory and process before giving up

FileCalls with_defaults(FileCalls calls) {
  if (!calls.write) calls.write = ::write;
  if (!calls.sync) calls.sync = ::fsync;
  if (!calls.rename) calls.rename = ::rename;
  return calls;
}

// Calls make(name) with one candidate after another until it gives something else than EEXIST.
// Returns the name that was taken; make returns an errno, 0 for success.
template <class Make>
std::string take_temporary_name(const std::string& path, const char* operation, Make&& make) {
  const std::string stem = join_path(parent_directory(path), "." + base_name(path) + ".tmp-");
  for (int k = 0; k < kMaxTemporaries; ++k) {
    std::string candidate = base::str(stem, ::getpid(), "-", k);
    const int error_number = make(candidate);
    if (error_number == 0) return candidate;
    if (error_number != EEXIST) throw FileError(path, operation, error_number);
  }
  throw FileError(path, operation, EEXIST);
}

void sync_path(const std::string& path, const FileCalls& calls) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw FileError(path, "open to sync", errno);
  const int result = calls.sync(descriptor);
  const int error_number = errno;
  ::close(descriptor);
  if (result != 0) throw FileError(path, "sync", error_number);
}

// The process id in ".NAME.tmp-PID-K", if the name is one.
std::optional<pid_t> owner_of_temporary(const std::string& name) {
  const std::size_t mark = name.rfind(".tmp-");
  if (name.empty() || name[0] != '.' || mark == std::string::npos) return std::nullopt;
  const char* begin = name.data() + mark + 5;
  const char* end = name.data() + name.size();
  pid_t pid = 0;
  int k = 0;
  const auto first = std::from_chars(begin, end, pid);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '-' || pid <= 0) return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, k);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return pid;
}

}  // namespace

AtomicFile::AtomicFile(std::string path, FileCalls calls)
    : path_(std::move(path)), calls_(with_defaults(std::move(calls))) {
  temporary_ = take_temporary_name(path_, "create", [this](const std::string& name) {
    descriptor_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return descriptor_ < 0 ? errno : 0;
  });
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
  descriptor_ = -1;
}

void AtomicFile::fail(const char* operation, int error_number) {
  discard();
  throw FileError(path_, operation, error_number);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  CONVOY_CHECK(descriptor_ >= 0, "write to ", path_, " after commit or failure");
  constexpr std::size_t kMaxCall_bytes = std::size_t{1} << 30;  // below the kernel's own limit of one call
  while (!bytes.empty()) {
    const ssize_t written = calls_.write(descriptor_, bytes.data(), std::min(bytes.size(), kMaxCall_bytes));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", errno);
    if (written == 0) fail("write", ENOSPC);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    size_bytes_ += written;
  }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::commit() {
  CONVOY_CHECK(descriptor_ >= 0, "commit of ", path_, " after commit or failure");
  if (calls_.sync(descriptor_) != 0) fail("sync", errno);
  if (calls_.rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename into place", errno);
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (::close(descriptor) != 0 && errno != EINTR) throw FileError(path_, "close", errno);
  sync_directory(parent_directory(path_));
}

AtomicDirectory::AtomicDirectory(std::string path, FileCalls calls)
    : path_(std::move(path)), calls_(with_defaults(std::move(calls))) {
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
  temporary_ = take_temporary_name(path_, "make the directory", [](const std::string& name) {
    return ::mkdir(name.c_str(), 0777) != 0 ? errno : 0;
  });
}

AtomicDirectory::~AtomicDirectory() { discard(); }

void AtomicDirectory::discard() {
  std::error_code ignored;  // a destructor can do no more than try
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  temporary_.clear();
}

void AtomicDirectory::commit() {
  CONVOY_CHECK(!temporary_.empty(), "commit of ", path_, " after commit or failure");
  try {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(temporary_))
      sync_path(entry.path().string(), calls_);
    sync_path(temporary_, calls_);
    if (calls_.rename(temporary_.c_str(), path_.c_str()) == 0) {
      temporary_.clear();
    } else {
      if (errno != ENOTEMPTY && errno != EEXIST) throw FileError(path_, "rename into place", errno);
      // One step, so that a reader never finds the name missing; the temporary then holds the old one.
      if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0)
        throw FileError(path_, "replace the directory", errno);
    }
    sync_directory(parent_directory(path_));
  } catch (const fs::filesystem_error& error) {
    const int error_number = error.code().value();
    discard();
    throw FileError(path_, "write the directory", error_number);
  } catch (const FileError&) {
    discard();
    throw;
  }
  discard();
}

void write_file_atomically(const std::string& path, std::string_view text, FileCalls calls) {
  AtomicFile file(path, std::move(calls));
  file.write(text);
  file.commit();
}

int remove_abandoned_temporaries(const std::string& directory) {
  int removed = 0;
  std::error_code error;
  std::vector<fs::path> abandoned;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::optional<pid_t> owner = owner_of_temporary(it->path().filename().string());
    if (owner && ::kill(*owner, 0) != 0 && errno == ESRCH) abandoned.push_back(it->path());
  }
  if (error) throw FileError(directory, "list the directory", error.value());
  for (const fs::path& path : abandoned) {
    fs::remove_all(path, error);
    if (error) throw FileError(path.string(), "remove", error.value());
    ++removed;
  }
  return removed;
}

}  // namespace convoy::io
