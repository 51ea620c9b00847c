#include "convoy/data/tar.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/tar_format.h"
#include "convoy/io/atomic_file.h"

namespace convoy::data {
namespace {

using base::InputError;
using base::str;

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
    const std::size_t part = std::min(bytes.size(), block_.size() - filled_);
    std::memcpy(block_.data() + filled_, bytes.data(), part);
    filled_ += part;
    if (filled_ == block_.size()) {
      filled_ = 0;
      begin_entry(TarHeader(block_));
    }
    return part;
  }

  void begin_entry(const TarHeader& header) {
    if (header.is_zero()) return;  // the end, or padding
    const std::optional<std::int64_t> size_bytes = header.size_bytes();
    if (!header.checksum_matches() || !size_bytes || *size_bytes < 0)
      throw InputError(archive_,
                       str("bad tar header before byte ", position_ + 1, " of the unpacked archive"));
    content_left_ = static_cast<std::uint64_t>(*size_bytes);
    padding_left_ = static_cast<std::size_t>(tar_padded_bytes(*size_bytes) - *size_bytes);
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
  TarBlock block_{};
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
