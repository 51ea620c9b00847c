#include "convoy/data/shard_pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <set>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/division.h"
#include "convoy/data/shard_index.h"
#include "convoy/data/tar_format.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/crc32.h"
#include "convoy/io/file.h"
#include "convoy/io/sha256.h"

namespace convoy::data {
namespace {

using base::str;

// One shard that is being written.
class ShardWriter {
 public:
  explicit ShardWriter(const std::string& path) : name_(io::base_name(path)), file_(path) {}

  // Returns where the contents lie.
  std::int64_t add(const std::string& name, std::string_view contents) {
    const TarBlock header = make_tar_header(name, std::ssize(contents));
    write(std::string_view(header.data(), header.size()));
    const std::int64_t offset_bytes = file_.size_bytes();
    write(contents);
    write(std::string(static_cast<std::size_t>(tar_padded_bytes(std::ssize(contents)) - std::ssize(contents)),
                      '\0'));
    return offset_bytes;
  }
  std::int64_t size_bytes() const { return file_.size_bytes(); }

  ShardFile commit() {
    constexpr std::size_t kEnd_bytes = 2 * kTarBlock_bytes;
    write(std::string(kEnd_bytes, '\0'));
    file_.commit();
    return {name_, file_.size_bytes(), sum_.finish_hex()};
  }

 private:
  void write(std::string_view bytes) {
    file_.write(bytes);
    sum_.update(std::as_bytes(std::span(bytes)));
  }

  std::string name_;
  io::AtomicFile file_;
  io::Sha256 sum_;
};

// Keys of pictures: WebDataset takes all before the first dot of a file's name for the key.
class Keys {
 public:
  std::string make(const std::string& class_name, const std::string& path) {
    const std::string base = io::base_name(path);
    std::string key = class_name + "/" + base.substr(0, base.rfind('.'));
    std::replace(key.begin() + std::ssize(class_name) + 1, key.end(), '.', '_');
    std::string unique = key;
    for (int k = 2; !known_.insert(unique).second; ++k) unique = str(key, "-", k);
    return unique;
  }

 private:
  std::set<std::string> known_;
};

// ".jpg" for all that TurboJPEG reads, as other readers expect it; other pictures keep their ending.
std::string ending_of(const std::string& path) {
  std::string ending = path.substr(std::min(path.rfind('.'), path.size()));
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == ".jpeg" ? ".jpg" : ending;
}

class PartPacker {
 public:
  PartPacker(const PictureStore& store, std::string directory, std::string name, const PackConfig& config)
      : store_(store), directory_(std::move(directory)), name_(std::move(name)), config_(config) {
    for (std::size_t c = 0; c < store.class_names().size(); ++c)
      summary_.classes.push_back({store.class_names()[c], store.counts()[c]});
    records_.resize(static_cast<std::size_t>(summary_.count()));
  }

  // False where the progress asks to stop.
  bool run(PackProgress& progress, const std::function<bool(const PackProgress&)>& on_progress) {
    const std::int64_t count = summary_.count();
    const Division classes(store_.counts(), {});
    const Permutation order(config_.seed, 0, std::max<std::int64_t>(1, count));
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t index = order.at(i);
      progress.bytes += add(index, classes.at(index).label);
      ++progress.done;
      if (on_progress && !on_progress(progress)) return false;
    }
    finish_shard();
    write_shard_index(io::join_path(directory_, name_ + ".index"), summary_, records_);
    return true;
  }

  PackedPart packed() const {
    PackedPart part{.name = name_,
                    .pictures = summary_.count(),
                    .classes = std::ssize(summary_.classes),
                    .shards = std::ssize(summary_.shards)};
    for (const ShardFile& shard : summary_.shards) part.bytes += shard.size_bytes;
    return part;
  }

 private:
  std::int64_t add(std::int64_t index, std::int32_t label) {
    const std::string path = store_.read(index, bytes_);
    const std::string key = keys_.make(store_.class_names()[static_cast<std::size_t>(label)], path);
    const auto shard = static_cast<std::int32_t>(summary_.shards.size());
    if (!shard_) shard_.emplace(io::join_path(directory_, fmt::format("{}-{:06}.tar", name_, shard)));
    records_[static_cast<std::size_t>(index)] = {.offset_bytes = shard_->add(key + ending_of(path), bytes_),
                                                 .size_bytes = std::ssize(bytes_),
                                                 .crc32 = io::crc32(std::as_bytes(std::span(bytes_))),
                                                 .shard = shard};
    shard_->add(key + ".cls", std::to_string(label));
    if (shard_->size_bytes() >= config_.shard_bytes) finish_shard();
    return std::ssize(bytes_);
  }

  void finish_shard() {
    if (!shard_) return;
    summary_.shards.push_back(shard_->commit());
    shard_.reset();
  }

  const PictureStore& store_;
  const std::string directory_, name_;
  const PackConfig& config_;
  ShardSummary summary_;
  std::vector<ShardRecord> records_;
  Keys keys_;
  std::optional<ShardWriter> shard_;
  std::string bytes_;
};

}  // namespace

PackResult pack_shards(const PicturePlace& place, const PackConfig& config,
                       const std::function<bool(const PackProgress&)>& on_progress) {
  if (std::filesystem::exists(config.output))
    throw base::UsageError(config.output + ": exists already; give another --out or remove it");
  std::vector<std::pair<std::string, std::shared_ptr<const PictureStore>>> stores;
  stores.emplace_back(place.test ? "train" : "all", place.train());
  if (place.test) stores.emplace_back("val", place.test());
  PackProgress progress;
  for (const auto& [name, store] : stores) progress.total += picture_count(*store);
  io::AtomicDirectory directory(config.output);
  PackResult result;
  for (const auto& [name, store] : stores) {
    PartPacker packer(*store, directory.path(), name, config);
    if (!packer.run(progress, on_progress)) return {};
    result.parts.push_back(packer.packed());
  }
  directory.commit();
  result.complete = true;
  return result;
}

}  // namespace convoy::data
