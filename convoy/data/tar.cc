#include "convoy/data/tar.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/atomic_file.h"

namespace convoy::data {
namespace {

using base::InputError;
using base::str;

constexpr std::size_t kBlock_bytes = 512;

// A block that begins an entry; fields at the places that POSIX.1-1988 (ustar) gives them.
class Header {
 public:
  explicit Header(const std::array<char, kBlock_bytes>& block) : block_(block) {}

  bool all_zero() const {
    return std::all_of(block_.begin(), block_.end(), [](char c) { return c == '\0'; });
  }
  std::string name() const { return text(0, 100); }
  std::optional<std::int64_t> size_bytes() const { return octal(124, 12); }
  bool is_regular() const { return block_[156] == '0' || block_[156] == '\0'; }

  // The sum of all bytes, its own field counted as blanks.
  bool checksum_matches() const {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < kBlock_bytes; ++i)
      sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block_[i]);
    return octal(148, 8) == sum;
  }

 private:
  std::string text(std::size_t at, std::size_t length) const {
    return std::string(block_.data() + at, ::strnlen(block_.data() + at, length));
  }
  std::optional<std::int64_t> octal(std::size_t at, std::size_t length) const {
    std::int64_t value = 0;
    bool any = false;
    for (std::size_t i = at; i < at + length; ++i) {
      const char c = block_[i];
      if (c == ' ' && !any) continue;
      if (c == ' ' || c == '\0') break;
      if (c < '0' || c > '7') return std::nullopt;
      value = value * 8 + (c - '0');  // at most 12 digits: 36 bits
      any = true;
    }
    return any ? std::optional(value) : std::nullopt;
  }

  const std::array<char, kBlock_bytes>& block_;
};

// Takes the archive a piece at a time.
class Extractor {
 public:
  Extractor(const std::string& archive, const std::vector<std::string>& wanted, const std::string& directory)
      : archive_(archive), missing_(wanted), directory_(directory) {}

  void feed(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const std::size_t used = content_left_ + padding_left_ > 0 ? take_content(bytes) : take_header(bytes);
      position_ += static_cast<std::int64_t>(used);
      bytes = bytes.subspan(used);
    }
  }

  void finish() const {
    if (content_left_ + padding_left_ > 0 || filled_ > 0)
      throw InputError(
          archive_, str("cut short: the tar archive ends at byte ", position_, " in the middle of an entry"));
    if (missing_.empty()) return;
    std::string names;
    for (const std::string& name : missing_) names += (names.empty() ? "" : ", ") + name;
    throw InputError(archive_, "has no " + names);
  }

 private:
  std::size_t take_content(std::span<const std::byte> bytes) {
    if (content_left_ == 0) {
      const std::size_t skipped = std::min(bytes.size(), padding_left_);
      padding_left_ -= skipped;
      return skipped;
    }
    const auto part =
        bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), content_left_)));
    if (file_) file_->write(part);
    content_left_ -= part.size();
    if (content_left_ == 0) close_file();
    return part.size();
  }

  std::size_t take_header(std::span<const std::byte> bytes) {
    const std::size_t part = std::min(bytes.size(), kBlock_bytes - filled_);
    std::memcpy(block_.data() + filled_, bytes.data(), part);
    filled_ += part;
    if (filled_ == kBlock_bytes) {
      filled_ = 0;
      begin_entry(Header(block_));
    }
    return part;
  }

  void begin_entry(const Header& header) {
    if (header.all_zero()) return;  // the end, or padding
    const std::optional<std::int64_t> size_bytes = header.size_bytes();
    if (!header.checksum_matches() || !size_bytes)
      throw InputError(archive_,
                       str("bad tar header before byte ", position_ + 1, " of the unpacked archive"));
    content_left_ = static_cast<std::uint64_t>(*size_bytes);
    padding_left_ = (kBlock_bytes - content_left_ % kBlock_bytes) % kBlock_bytes;
    const std::string name = io::base_name(header.name());
    const auto it = std::find(missing_.begin(), missing_.end(), name);
    if (it == missing_.end() || !header.is_regular()) return;
    missing_.erase(it);
    file_ = std::make_unique<io::AtomicFile>(io::join_path(directory_, name));
    if (content_left_ == 0) close_file();
  }

  void close_file() {
    if (file_) file_->commit();
    file_.reset();
  }

  const std::string& archive_;
  std::vector<std::string> missing_;
  const std::string& directory_;
  std::array<char, kBlock_bytes> block_{};
  std::size_t filled_ = 0;
  std::uint64_t content_left_ = 0;
  std::size_t padding_left_ = 0;
  std::int64_t position_ = 0;
  std::unique_ptr<io::AtomicFile> file_;
};

}  // namespace

void extract_tar(const io::RandomAccessFile& archive, io::Compression compression,
                 const std::vector<std::string>& wanted, const std::string& directory) {
  Extractor extractor(archive.name(), wanted, directory);
  io::unpack(archive, compression, [&](std::span<const std::byte> bytes) { extractor.feed(bytes); });
  extractor.finish();
}

}  // namespace convoy::data
