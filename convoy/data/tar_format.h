// The tar format, as far as files of data need it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "convoy/io/file.h"

namespace convoy::data {

inline constexpr std::int64_t kTarBlock_bytes = 512;
using TarBlock = std::array<char, static_cast<std::size_t>(kTarBlock_bytes)>;

// What follows a header of `size_bytes` up to the next one.
constexpr std::int64_t tar_padded_bytes(std::int64_t size_bytes) {
  return (size_bytes + kTarBlock_bytes - 1) / kTarBlock_bytes * kTarBlock_bytes;
}

// A block that begins an entry; fields at the places that POSIX.1-1988 (ustar) gives them.
class TarHeader {
 public:
  // A view: the block must outlive it.
  explicit TarHeader(const TarBlock& block) : block_(block) {}

  bool is_zero() const;
  // The sum of all bytes, its own field counted as blanks.
  bool checksum_matches() const;
  std::string name() const;  // the prefix of ustar in front of it
  // In octal, or as GNU tar writes sizes from 8 GiB on; none where it is neither.
  std::optional<std::int64_t> size_bytes() const;
  char kind() const { return block_[156]; }
  bool is_regular() const { return kind() == '0' || kind() == '\0'; }

 private:
  std::string text(std::size_t at, std::size_t length) const;
  std::optional<std::int64_t> octal(std::size_t at, std::size_t length) const;

  const TarBlock& block_;
};

// The header of a regular file that everybody may read, of the year 1970. Throws UsageError for names that
// ustar cannot hold: above 100 bytes, or above 255 in two parts.
TarBlock make_tar_header(const std::string& name, std::int64_t size_bytes);

// A regular file in an archive.
struct TarEntry {
  std::string name;
  std::int64_t offset_bytes = 0;  // of its contents
  std::int64_t size_bytes = 0;
};

// Calls `sink` for every regular file of an uncompressed archive, in order, reading headers alone.
// Understands the long names of GNU tar and of POSIX.1-2001 (pax), as Python writes them. Throws InputError,
// naming the archive and the byte, for damaged headers, contents that reach beyond the end, and archives
// without an end-of-archive block, which are cut short.
void scan_tar(const io::RandomAccessFile& archive, const std::function<void(const TarEntry&)>& sink);

}  // namespace convoy::data
