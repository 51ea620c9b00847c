// Reading files, and the directories that Convoy writes into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace convoy::io {

// Bytes that are read by position: a file, or memory in tests and fuzz targets. Immutable and thread-safe.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;
  // What messages call it: the path, as the user gave it.
  virtual const std::string& name() const = 0;
  virtual std::int64_t size_bytes() const = 0;
  // Fills `out` from `offset` on. Throws InputError where the file has fewer bytes or cannot be read.
  virtual void read_at(std::int64_t offset, std::span<std::byte> out) const = 0;
};

// Opens a file for pread; nothing is cached. `name` replaces the path in messages where it is not empty.
// Throws InputError if it is missing, not readable or not a regular file.
std::shared_ptr<const RandomAccessFile> open_file(const std::string& path, const std::string& name = {});

// Takes over an open descriptor of a regular file and closes it at the end.
std::shared_ptr<const RandomAccessFile> adopt_descriptor(int descriptor, const std::string& name);

// Reads from bytes that the caller keeps alive.
std::shared_ptr<const RandomAccessFile> make_memory_file(std::span<const std::byte> bytes, std::string name);

inline constexpr std::int64_t kMaxText_bytes = std::int64_t{256} << 20;

// The whole file as a string. Throws InputError as open_file does, and for more than `max_bytes`.
std::string read_file(const std::string& path, std::int64_t max_bytes = kMaxText_bytes);

bool file_exists(const std::string& path);

// Joins two parts of a path with one '/'; an empty first part, or an absolute second one, gives the second.
std::string join_path(const std::string& directory, const std::string& name);
// Everything before the last '/': "." where there is none, "/" for a file of the root.
std::string parent_directory(const std::string& path);
// Everything after the last '/'.
std::string base_name(const std::string& path);

// Makes a directory and its parents; existing ones are fine. Throws FileError.
void make_directories(const std::string& path);

// Makes `path` and proves that files can be written, synced and removed in it, so that a read-only or full
// place is found before the first step and not after the first epoch. Throws FileError.
void prepare_output_directory(const std::string& path);

// Makes renames and removals in a directory durable. Throws FileError.
void sync_directory(const std::string& path);

// $XDG_CACHE_HOME/convoy or ~/.cache/convoy; empty where neither variable holds an absolute path.
std::string cache_directory();

}  // namespace convoy::io
