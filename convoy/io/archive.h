// Compressed files, read as if they were plain.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "convoy/io/file.h"

namespace convoy::io {

enum class Compression { none, gzip, xz };

// By the end of the name: ".gz", ".xz" or neither.
Compression compression_of(const std::string& path);

inline constexpr std::int64_t kMaxUnpacked_bytes = std::int64_t{1} << 40;

// Unpacks `file` and hands the bytes to `sink` in order, a piece at a time; for `none` the bytes as they are.
// Several members or streams in one file are unpacked one after another. Throws InputError naming file and
// position for data that is corrupt or cut, for anything after the last member, and when more than
// `max_bytes` come out. What `sink` throws passes through.
void unpack(const RandomAccessFile& file, Compression compression,
            const std::function<void(std::span<const std::byte>)>& sink,
            std::int64_t max_bytes = kMaxUnpacked_bytes);

// Opens a plain or compressed file for reading by position, so that memory does not grow with it. A
// compressed file is unpacked once into cache_directory()/unpacked under a name made of path, size and time
// of change; where that place cannot be written, into a temporary file that vanishes with the process.
// Throws InputError as `unpack` does, FileError where neither place takes the bytes.
std::shared_ptr<const RandomAccessFile> open_plain(const std::string& path,
                                                   std::int64_t max_bytes = kMaxUnpacked_bytes);

}  // namespace convoy::io
