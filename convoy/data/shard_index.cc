#include "convoy/data/shard_index.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <set>
#include <span>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/json.h"
#include "convoy/io/sha256.h"

namespace convoy::data {
namespace {

using base::InputError;
using base::str;

constexpr std::string_view kMagic = "CVYSHARD";
constexpr std::int64_t kFormat = 1;
constexpr std::int64_t kFixed_bytes = 16;   // magic and the header's length
constexpr std::int64_t kRecord_bytes = 24;  // offset 8, size 4, crc32 4, shard 4, reserved 4
constexpr std::int64_t kMaxHeader_bytes = std::int64_t{64} << 20;
constexpr std::int64_t kMaxPictures = std::int64_t{1} << 40;

std::uint64_t little_endian(const std::byte* bytes, int count) {
  std::uint64_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

void append(std::uint64_t value, int count, std::string& text) {
  for (int i = 0; i < count; ++i) text += static_cast<char>(value >> (8 * i) & 255);
}

void append(const ShardRecord& record, std::string& text) {
  CONVOY_CHECK(
      record.offset_bytes >= 0 && record.size_bytes >= 0 && record.size_bytes < std::int64_t{1} << 32,
      record.size_bytes, " bytes at ", record.offset_bytes);
  append(static_cast<std::uint64_t>(record.offset_bytes), 8, text);
  append(static_cast<std::uint64_t>(record.size_bytes), 4, text);
  append(record.crc32, 4, text);
  append(static_cast<std::uint64_t>(record.shard), 4, text);
  append(0, 4, text);
}

// The bytes of the records, a piece at a time.
void for_each_piece(std::span<const ShardRecord> records, const std::function<void(std::string_view)>& sink) {
  constexpr std::size_t kPiece = 4096;
  for (std::string text; !records.empty(); text.clear()) {
    const auto piece = records.first(std::min(kPiece, records.size()));
    for (const ShardRecord& record : piece) append(record, text);
    sink(text);
    records = records.subspan(piece.size());
  }
}

// Reads the members of one JSON header, refusing by the file's name.
class HeaderReader {
 public:
  HeaderReader(const io::Json& header, const std::string& file) : header_(header), file_(file) {}

  ShardSummary summary() const {
    if (const std::int64_t format = io::require_int64(header_, "format", file_); format != kFormat)
      throw InputError(file_, str("is an index of format ", format, "; this version reads format ", kFormat));
    ShardSummary summary;
    for (const io::Json& value : io::require_array(header_, "classes", file_))
      summary.classes.push_back(
          {io::require_string(value, "name", file_), count_of(value, "count", kMaxPictures)});
    for (const io::Json& value : io::require_array(header_, "shards", file_))
      summary.shards.push_back(shard(value));
    check_names(summary);
    return summary;
  }

 private:
  std::int64_t count_of(const io::Json& value, std::string_view name, std::int64_t most) const {
    const std::int64_t count = io::require_int64(value, name, file_);
    if (count < 0 || count > most) throw InputError(file_, str("'", name, "' is ", count));
    return count;
  }

  ShardFile shard(const io::Json& value) const {
    ShardFile shard{io::require_string(value, "name", file_),
                    count_of(value, "size_bytes", std::int64_t{1} << 60),
                    io::require_string(value, "sha256", file_)};
    if (shard.name.empty() || shard.name.starts_with('.') || shard.name.find('/') != std::string::npos)
      throw InputError(file_, str("a shard cannot be called '", shard.name, "'"));
    return shard;
  }

  void check_names(const ShardSummary& summary) const {
    std::set<std::string> names;
    for (const ShardClass& each : summary.classes)
      if (!names.insert(each.name).second)
        throw InputError(file_, str("names the class '", each.name, "' twice"));
    std::int64_t count = 0;
    for (const ShardClass& each : summary.classes)
      if ((count += each.count) > kMaxPictures)
        throw InputError(file_, str("counts more than ", kMaxPictures, " pictures"));
  }

  const io::Json& header_;
  const std::string& file_;
};

std::string sha256_of_rest(const io::RandomAccessFile& file, std::int64_t offset) {
  io::Sha256 sum;
  std::array<std::byte, 1 << 16> piece;
  while (offset < file.size_bytes()) {
    const auto size = std::min<std::int64_t>(std::ssize(piece), file.size_bytes() - offset);
    const auto part = std::span(piece).first(static_cast<std::size_t>(size));
    file.read_at(offset, part);
    sum.update(part);
    offset += size;
  }
  return sum.finish_hex();
}

}  // namespace

std::int64_t ShardSummary::count() const {
  std::int64_t count = 0;
  for (const ShardClass& each : classes) count += each.count;
  return count;
}

ShardIndex::ShardIndex(std::shared_ptr<const io::RandomAccessFile> file) : file_(std::move(file)) {
  const std::string& name = file_->name();
  std::array<std::byte, kFixed_bytes> fixed;
  if (file_->size_bytes() < kFixed_bytes) throw InputError(name, "cut short: no index of shards");
  file_->read_at(0, fixed);
  if (std::memcmp(fixed.data(), kMagic.data(), kMagic.size()) != 0)
    throw InputError(name, "no index of shards: it does not begin with CVYSHARD");
  const std::uint64_t header_bytes = little_endian(fixed.data() + kMagic.size(), 8);
  const auto room_bytes =
      static_cast<std::uint64_t>(std::min(kMaxHeader_bytes, file_->size_bytes() - kFixed_bytes));
  if (header_bytes > room_bytes)
    throw InputError(name, str("cut short: a header of ", header_bytes, " bytes is announced at byte 8"));
  std::string text(static_cast<std::size_t>(header_bytes), '\0');
  file_->read_at(kFixed_bytes, std::as_writable_bytes(std::span(text)));
  const io::Json header = io::parse_json(text, name, kFixed_bytes);
  summary_ = HeaderReader(header, name).summary();
  records_begin_ = kFixed_bytes + static_cast<std::int64_t>(header_bytes);
  const std::int64_t expected_bytes = records_begin_ + summary_.count() * kRecord_bytes;
  if (file_->size_bytes() != expected_bytes)
    throw InputError(
        name, str(file_->size_bytes() < expected_bytes ? "cut short" : "too long", ": ", summary_.count(),
                  " records end at byte ", expected_bytes, ", the file at ", file_->size_bytes()));
  if (sha256_of_rest(*file_, records_begin_) != io::require_string(header, "records_sha256", name))
    throw InputError(name, "its records are not those that were written; pack the shards again");
}

ShardRecord ShardIndex::record(std::int64_t index) const {
  CONVOY_CHECK(index >= 0 && index < summary_.count(), "picture ", index, " of ", summary_.count());
  std::array<std::byte, kRecord_bytes> bytes;
  file_->read_at(records_begin_ + index * kRecord_bytes, bytes);
  const std::uint64_t offset = little_endian(bytes.data(), 8), size = little_endian(bytes.data() + 8, 4);
  const std::uint64_t shard = little_endian(bytes.data() + 16, 4);
  if (shard >= summary_.shards.size() ||
      offset > static_cast<std::uint64_t>(summary_.shards[shard].size_bytes) ||
      size > static_cast<std::uint64_t>(summary_.shards[shard].size_bytes) - offset)
    throw InputError(file_->name(), str("record ", index, " points outside of the shards"));
  return {.offset_bytes = static_cast<std::int64_t>(offset),
          .size_bytes = static_cast<std::int64_t>(size),
          .crc32 = static_cast<std::uint32_t>(little_endian(bytes.data() + 12, 4)),
          .shard = static_cast<std::int32_t>(shard)};
}

void write_shard_index(const std::string& path, const ShardSummary& summary,
                       const std::vector<ShardRecord>& records) {
  CONVOY_CHECK(std::ssize(records) == summary.count(), records.size(), " records");
  io::Sha256 sum;
  for_each_piece(records, [&](std::string_view piece) { sum.update(std::as_bytes(std::span(piece))); });
  io::Json classes = io::Json::array(), shards = io::Json::array();
  for (const ShardClass& each : summary.classes)
    classes.append(io::Json::object({{"name", each.name}, {"count", each.count}}));
  for (const ShardFile& each : summary.shards)
    shards.append(
        io::Json::object({{"name", each.name}, {"size_bytes", each.size_bytes}, {"sha256", each.sha256}}));
  std::string text = io::Json::object({{"format", kFormat},
                                       {"classes", std::move(classes)},
                                       {"shards", std::move(shards)},
                                       {"records_sha256", sum.finish_hex()}})
                         .dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string head(kMagic);
  append(text.size(), 8, head);
  io::AtomicFile file(path);
  file.write(head + text);
  for_each_piece(records, [&](std::string_view piece) { file.write(piece); });
  file.commit();
}

}  // namespace convoy::data
