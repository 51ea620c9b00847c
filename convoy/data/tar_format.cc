#include "convoy/data/tar_format.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <span>

#include "convoy/base/check.h"
#include "convoy/base/error.h"

namespace convoy::data {
namespace {

using base::InputError;
using base::str;

constexpr std::size_t kName = 100, kPrefix = 155;
constexpr std::int64_t kMaxExtension_bytes = 1 << 20;

// Names and sizes that stand before the header they concern.
struct Extension {
  std::optional<std::string> path;
  std::optional<std::int64_t> size_bytes;
};

// The records "LENGTH KEY=VALUE\n" of a pax header. False where they are damaged.
bool read_pax(std::string_view records, Extension& extension) {
  while (!records.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(records.data(), records.data() + records.size(), length);
    const auto digits = static_cast<std::size_t>(end - records.data());
    if (error != std::errc() || length < digits + 2 || length > records.size() || *end != ' ' ||
        records[length - 1] != '\n')
      return false;
    const std::string_view record = records.substr(digits + 1, length - digits - 2);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") extension.path = std::string(value);
    if (key == "size") {
      std::int64_t size_bytes = 0;
      const auto result = std::from_chars(value.data(), value.data() + value.size(), size_bytes);
      if (result.ec != std::errc() || result.ptr != value.data() + value.size()) return false;
      extension.size_bytes = size_bytes;
    }
    records.remove_prefix(length);
  }
  return true;
}

class Scanner {
 public:
  Scanner(const io::RandomAccessFile& archive, const std::function<void(const TarEntry&)>& sink)
      : archive_(archive), sink_(sink) {}

  void run() {
    TarBlock block;
    while (true) {
      if (position_ + kTarBlock_bytes > archive_.size_bytes()) fail_short();
      archive_.read_at(position_, std::as_writable_bytes(std::span(block)));
      const TarHeader header(block);
      if (header.is_zero()) return;
      if (!header.checksum_matches()) fail("bad tar header");
      take(header);
    }
  }

 private:
  void take(const TarHeader& header) {
    const bool is_extension = std::strchr("xgLK", header.kind()) != nullptr && header.kind() != '\0';
    std::optional<std::int64_t> size_bytes = header.size_bytes();
    if (!is_extension && extension_.size_bytes) size_bytes = extension_.size_bytes;
    if (!size_bytes || *size_bytes < 0) fail("bad size in the tar header");
    const std::int64_t contents = position_ + kTarBlock_bytes;
    if (*size_bytes > archive_.size_bytes() - contents) fail_short();
    if (is_extension) {
      extend(header.kind(), contents, *size_bytes);
    } else {
      if (header.is_regular()) sink_({extension_.path.value_or(header.name()), contents, *size_bytes});
      extension_ = {};
    }
    position_ = contents + tar_padded_bytes(*size_bytes);
  }

  void extend(char kind, std::int64_t offset, std::int64_t size_bytes) {
    if (kind == 'g' || kind == 'K') return;  // of the archive as a whole; the target of a link
    if (size_bytes > kMaxExtension_bytes) fail("too long a name in the tar header");
    std::string text(static_cast<std::size_t>(size_bytes), '\0');
    archive_.read_at(offset, std::as_writable_bytes(std::span(text)));
    if (kind == 'L')
      extension_.path = text.substr(0, text.find('\0'));
    else if (!read_pax(text, extension_))
      fail("bad extended tar header");
  }

  [[noreturn]] void fail(const char* problem) const {
    throw InputError(archive_.name(), str(problem, " at byte ", position_));
  }
  [[noreturn]] void fail_short() const {
    throw InputError(archive_.name(), str("cut short: the tar archive's ", archive_.size_bytes(),
                                          " bytes end within the entry at byte ", position_));
  }

  const io::RandomAccessFile& archive_;
  const std::function<void(const TarEntry&)>& sink_;
  std::int64_t position_ = 0;
  Extension extension_;
};

}  // namespace

bool TarHeader::is_zero() const {
  return std::all_of(block_.begin(), block_.end(), [](char c) { return c == '\0'; });
}

bool TarHeader::checksum_matches() const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < block_.size(); ++i)
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block_[i]);
  return octal(148, 8) == sum;
}

std::string TarHeader::name() const {
  const std::string prefix = text(257, 6) == "ustar" ? text(345, kPrefix) : std::string();
  return prefix.empty() ? text(0, kName) : prefix + "/" + text(0, kName);
}

std::optional<std::int64_t> TarHeader::size_bytes() const {
  constexpr std::size_t kAt = 124, kLength = 12;
  if ((static_cast<unsigned char>(block_[kAt]) & 0x80) == 0) return octal(kAt, kLength);
  std::int64_t value = 0;
  for (std::size_t i = kAt + 1; i < kAt + kLength; ++i) {
    if (value >> 54 != 0) return std::nullopt;
    value = value << 8 | static_cast<unsigned char>(block_[i]);
  }
  return value;
}

std::string TarHeader::text(std::size_t at, std::size_t length) const {
  return std::string(block_.data() + at, ::strnlen(block_.data() + at, length));
}

std::optional<std::int64_t> TarHeader::octal(std::size_t at, std::size_t length) const {
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

TarBlock make_tar_header(const std::string& name, std::int64_t size_bytes) {
  TarBlock block{};
  const auto put = [&](std::size_t at, std::string_view text) {
    std::copy(text.begin(), text.end(), block.begin() + at);
  };
  const auto put_octal = [&](std::size_t at, int digits, std::int64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
    put(at, text);
  };
  CONVOY_CHECK(size_bytes >= 0 && size_bytes < std::int64_t{1} << 33, size_bytes, " bytes");
  std::size_t split = 0;  // what is in front of the '/' there goes into the prefix
  if (name.size() > kName) split = name.find('/', name.size() - kName - 1);
  if (name.empty() || split > kPrefix || (split == 0 && name.size() > kName))
    throw base::UsageError("'" + name + "' is too long a name for a tar archive; shorten it");
  put(345, std::string_view(name).substr(0, split));
  put(0, std::string_view(name).substr(split == 0 ? 0 : split + 1));
  put_octal(100, 7, 0644);
  put_octal(108, 7, 0);
  put_octal(116, 7, 0);
  put_octal(124, 11, size_bytes);
  put_octal(136, 11, 0);
  block[156] = '0';
  put(257, std::string_view("ustar\0"
                            "00",
                            8));
  put(148, "        ");
  std::int64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put_octal(148, 6, sum);
  block[154] = '\0';
  return block;
}

void scan_tar(const io::RandomAccessFile& archive, const std::function<void(const TarEntry&)>& sink) {
  Scanner(archive, sink).run();
}

}  // namespace convoy::data
