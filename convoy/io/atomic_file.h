// Files and directories that appear whole or not at all.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace convoy::io {

// The system calls of writing, replaceable so that a test can fill the disk or break the rename. Each
// behaves like its namesake: a negative result with errno set. Empty members mean the real call.
struct FileCalls {
  std::function<ssize_t(int descriptor, const void* data, std::size_t bytes)> write;
  std::function<int(int descriptor)> sync;
  std::function<int(const char* from, const char* to)> rename;
};

// A file under construction: bytes go to a temporary name in the same directory; `commit` syncs it, renames
// it into place and syncs the directory. Without commit (an exception, a refusal) the destructor removes
// the temporary, and what was at `path` before is untouched. Not thread-safe.
class AtomicFile {
 public:
  // The temporary is ".NAME.tmp-PID-K" beside the file. Throws FileError.
  explicit AtomicFile(std::string path, FileCalls calls = {});
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Appends. On failure removes the temporary and throws FileError; nothing can be written afterwards.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  std::int64_t size_bytes() const { return size_bytes_; }

  // Makes the file visible and durable, replacing an older one. Throws FileError, with nothing left behind.
  void commit();

 private:
  [[noreturn]] void fail(const char* operation, int error_number);
  void discard();

  std::string path_;
  std::string temporary_;
  FileCalls calls_;
  int descriptor_ = -1;
  std::int64_t size_bytes_ = 0;
};

// A directory under construction: fill `path()`, then `commit` syncs all files below it and renames it to
// its final name. Replaces an existing directory in one step. Without commit everything is removed.
class AtomicDirectory {
 public:
  explicit AtomicDirectory(std::string path, FileCalls calls = {});
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  // Where the files go until commit.
  const std::string& path() const { return temporary_; }
  void commit();

 private:
  void discard();

  std::string path_;
  std::string temporary_;
  FileCalls calls_;
};

// Writes a whole small file atomically.
void write_file_atomically(const std::string& path, std::string_view text, FileCalls calls = {});

// Removes the temporaries in `directory` whose process is gone (killed between open and commit). Call it
// while holding the directory's lock, on the machine that wrote them. Returns how many were removed.
int remove_abandoned_temporaries(const std::string& directory);

}  // namespace convoy::io
