#include "convoy/data/readers/shards.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/tar_format.h"
#include "convoy/io/crc32.h"
#include "convoy/io/file.h"

namespace convoy::data {
namespace {

using base::InputError;
using base::str;
using File = std::shared_ptr<const io::RandomAccessFile>;

constexpr std::size_t kMostOpen = 200;  // the usual limit of a process is 1024 files
constexpr std::int32_t kMostClasses = 65536;

// Opens files when they are needed, and closes the one that was opened first when there are too many.
// Thread-safe.
class ShardFiles {
 public:
  explicit ShardFiles(std::vector<std::string> paths) : paths_(std::move(paths)), open_(paths_.size()) {}

  const std::string& path(std::int32_t shard) const { return paths_[static_cast<std::size_t>(shard)]; }

  File get(std::int32_t shard) const {
    const std::lock_guard lock(mutex_);
    File& file = open_[static_cast<std::size_t>(shard)];
    if (file == nullptr) {
      file = io::open_file(path(shard));
      order_.push_back(shard);
      if (order_.size() > kMostOpen) {
        open_[static_cast<std::size_t>(order_.front())].reset();
        order_.pop_front();
      }
    }
    return open_[static_cast<std::size_t>(shard)];
  }

 private:
  std::vector<std::string> paths_;
  mutable std::mutex mutex_;
  mutable std::vector<File> open_;
  mutable std::deque<std::int32_t> order_;
};

// What finds the record of a picture.
struct Records {
  std::function<ShardRecord(std::int64_t)> at;
  bool have_checksums = false;
};

class ShardStore final : public PictureStore {
 public:
  ShardStore(const std::vector<ShardClass>& classes, std::vector<std::string> paths, Records records)
      : files_(std::move(paths)), records_(std::move(records)) {
    for (const ShardClass& each : classes) {
      class_names_.push_back(each.name);
      counts_.push_back(each.count);
    }
  }

  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::span<const std::int64_t> counts() const override { return counts_; }
  const std::vector<std::string>& notes() const override { return notes_; }

  std::string read(std::int64_t index, std::string& bytes) const override {
    const ShardRecord record = records_.at(index);
    const File file = files_.get(record.shard);
    const std::string name = str(files_.path(record.shard), ": ", entry_name(*file, record));
    bytes.resize(static_cast<std::size_t>(record.size_bytes));
    file->read_at(record.offset_bytes, std::as_writable_bytes(std::span(bytes)));
    if (records_.have_checksums && io::crc32(std::as_bytes(std::span(bytes))) != record.crc32)
      throw InputError(name, "its bytes are not those that were packed: the checksum differs");
    return name;
  }

 private:
  // The name in the header that stands before the contents.
  static std::string entry_name(const io::RandomAccessFile& file, const ShardRecord& record) {
    TarBlock block;
    if (record.offset_bytes < kTarBlock_bytes) return "picture at byte 0";
    file.read_at(record.offset_bytes - kTarBlock_bytes, std::as_writable_bytes(std::span(block)));
    return TarHeader(block).name();
  }

  ShardFiles files_;
  Records records_;
  std::vector<std::string> class_names_;
  std::vector<std::int64_t> counts_;
  std::vector<std::string> notes_;
};

// Gathers the files of one picture, which follow one another in the archive.
class PlainScanner {
 public:
  void scan(const std::string& path, std::int32_t shard) {
    const File file = io::open_file(path);
    scan_tar(*file, [&](const TarEntry& entry) {
      const std::string base = io::base_name(entry.name);
      const std::string key =
          entry.name.substr(0, entry.name.size() - base.size() + std::min(base.find('.'), base.size()));
      if (key != key_) finish(path);
      key_ = key;
      if (is_picture_name(base)) picture_ = {entry.offset_bytes, entry.size_bytes, 0, shard};
      if (base.ends_with(".cls")) label_ = read_class(*file, entry);
    });
    finish(path);
  }

  // Class by class; in the order of the archives within one.
  std::vector<ShardRecord> take_records(std::vector<ShardClass>& classes) {
    std::stable_sort(found_.begin(), found_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<ShardRecord> records;
    for (const auto& [label, record] : found_) {
      while (std::ssize(classes) <= label) classes.push_back({std::to_string(classes.size()), 0});
      ++classes[static_cast<std::size_t>(label)].count;
      records.push_back(record);
    }
    return records;
  }

 private:
  void finish(const std::string& path) {
    if (picture_ && !label_)
      throw InputError(path, str("the picture ", key_, " has no class: no ", key_, ".cls follows it"));
    if (picture_) found_.emplace_back(*label_, *picture_);
    key_.clear();
    picture_.reset();
    label_.reset();
  }

  static std::int32_t read_class(const io::RandomAccessFile& file, const TarEntry& entry) {
    std::array<char, 16> text{};
    const auto size = static_cast<std::size_t>(std::min<std::int64_t>(std::ssize(text), entry.size_bytes));
    file.read_at(entry.offset_bytes, std::as_writable_bytes(std::span(text).first(size)));
    std::int32_t label = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + size, label);
    const bool ends_well = std::all_of(end, static_cast<const char*>(text.data()) + size,
                                       [](char c) { return c == '\n' || c == ' '; });
    if (error != std::errc() || !ends_well || size < static_cast<std::size_t>(entry.size_bytes) ||
        label < 0 || label >= kMostClasses)
      throw InputError(file.name(), str(entry.name, " at byte ", entry.offset_bytes,
                                        " holds no class number from 0 to ", kMostClasses - 1));
    return label;
  }

  std::vector<std::pair<std::int32_t, ShardRecord>> found_;
  std::string key_;
  std::optional<ShardRecord> picture_;
  std::optional<std::int32_t> label_;
};

}  // namespace

std::shared_ptr<const PictureStore> open_indexed_shards(const std::string& index_path) {
  const auto index = std::make_shared<const ShardIndex>(io::open_file(index_path));
  std::vector<std::string> paths;
  for (const ShardFile& shard : index->summary().shards) {
    paths.push_back(io::join_path(io::parent_directory(index_path), shard.name));
    const std::int64_t size_bytes = io::open_file(paths.back())->size_bytes();
    if (size_bytes != shard.size_bytes)
      throw InputError(paths.back(),
                       str(size_bytes < shard.size_bytes ? "cut short" : "too long", ": ", size_bytes,
                           " bytes, ", shard.size_bytes, " by its index; copy or pack it again"));
  }
  return std::make_shared<ShardStore>(
      index->summary().classes, std::move(paths),
      Records{[index](std::int64_t i) { return index->record(i); }, /*have_checksums=*/true});
}

std::shared_ptr<const PictureStore> open_plain_shards(const std::vector<std::string>& paths) {
  PlainScanner scanner;
  for (std::size_t i = 0; i < paths.size(); ++i) scanner.scan(paths[i], static_cast<std::int32_t>(i));
  std::vector<ShardClass> classes;
  auto records = std::make_shared<const std::vector<ShardRecord>>(scanner.take_records(classes));
  if (records->empty())
    throw InputError(paths.front(), "no picture with a class in it, nor in the shards beside it");
  return std::make_shared<ShardStore>(
      classes, paths, Records{[records](std::int64_t i) { return (*records)[static_cast<std::size_t>(i)]; }});
}

std::unique_ptr<Dataset> open_shards(const DatasetRequest& request) {
  return make_pictures(find_shards(picture_path(request)), request);
}

DatasetShape describe_shards(const DatasetRequest& request) {
  return {{3, request.image_size, request.image_size},
          std::ssize(find_shards(picture_path(request)).train()->class_names())};
}

}  // namespace convoy::data
