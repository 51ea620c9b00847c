#include "convoy/data/readers/cifar10.h"

#include <unistd.h>

#include <array>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/download.h"
#include "convoy/data/readers/locate.h"
#include "convoy/data/tar.h"
#include "convoy/io/archive.h"

namespace convoy::data {
namespace {

using base::InputError;
using base::str;

constexpr std::int64_t kPixels_bytes = 3 * 32 * 32;
constexpr std::int64_t kRecord_bytes = 1 + kPixels_bytes;
constexpr std::array<const char*, 10> kClassNames{"airplane", "automobile", "bird",  "cat",  "deer",
                                                  "dog",      "frog",       "horse", "ship", "truck"};
constexpr std::int64_t kMaxBatch_bytes = std::int64_t{1} << 30;

std::vector<std::string> batch_names(Split split) {
  if (split == Split::test) return {"test_batch.bin"};
  return {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"};
}

class Cifar10 final : public Dataset {
 public:
  Cifar10(std::vector<CifarBatch> batches, Split split, std::vector<std::string> notes)
      : batches_(std::move(batches)) {
    info_.name = split == Split::train ? "cifar10/train" : "cifar10/test";
    info_.sample_shape = {3, 32, 32};
    for (const CifarBatch& batch : batches_) info_.size += batch.count();
    info_.class_names.assign(kClassNames.begin(), kClassNames.end());
    info_.mean = {0.4914f, 0.4822f, 0.4465f};
    info_.stddev = {0.2470f, 0.2435f, 0.2616f};
    info_.notes = std::move(notes);
  }

  const DatasetInfo& info() const override { return info_; }

  std::int32_t read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
    CONVOY_CHECK(index >= 0 && index < info_.size, "example ", index, " of ", info_.size);
    for (const CifarBatch& batch : batches_) {
      if (index < batch.count()) return batch.read(index, pixels);
      index -= batch.count();
    }
    base::bug(__FILE__, __LINE__, "index < size", "the batches do not add up");
  }

 private:
  std::vector<CifarBatch> batches_;
  DatasetInfo info_;
};

bool any_present(const std::string& directory, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (!find_packed(directory, name).empty()) return true;
  return false;
}

// Puts the six batch files into the cache. The archive is removed: it is as large as they are.
void download_batches(const std::string& directory, bool offline) {
  const RemoteFile remote{.name = "cifar-10-binary.tar.gz",
                          .urls = {"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"},
                          .sha256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                          .size_bytes = 170052171};
  const std::string archive = download(remote, directory, {.offline = offline});
  std::vector<std::string> wanted = batch_names(Split::train);
  wanted.push_back("test_batch.bin");
  extract_tar(*io::open_file(archive), io::Compression::gzip, wanted, directory);
  ::unlink(archive.c_str());
}

}  // namespace

CifarBatch::CifarBatch(std::shared_ptr<const io::RandomAccessFile> file, std::int64_t expected_records)
    : file_(std::move(file)) {
  const std::int64_t size_bytes = file_->size_bytes();
  const std::int64_t expected_bytes = expected_records * kRecord_bytes;
  if (expected_records > 0 && size_bytes != expected_bytes)
    throw InputError(file_->name(), str(size_bytes < expected_bytes ? "cut short" : "too long",
                                        ": a batch of ", expected_records, " pictures takes ", expected_bytes,
                                        " bytes, ", size_bytes, " bytes found"));
  if (size_bytes == 0 || size_bytes % kRecord_bytes != 0)
    throw InputError(file_->name(),
                     str("has ", size_bytes, " bytes, expected a multiple of ", kRecord_bytes));
  labels_.resize(static_cast<std::size_t>(size_bytes / kRecord_bytes));
  for (std::int64_t i = 0; i < count(); ++i) {
    std::uint8_t& label = labels_[static_cast<std::size_t>(i)];
    file_->read_at(i * kRecord_bytes, std::as_writable_bytes(std::span(&label, 1)));
    if (label >= kClassNames.size())
      throw InputError(file_->name(),
                       str("class ", int{label}, " of picture ", i, " at byte ", i * kRecord_bytes,
                           " is out of range; expected 0 … ", kClassNames.size() - 1));
  }
}

std::int32_t CifarBatch::read(std::int64_t index, std::span<std::uint8_t> pixels) const {
  CONVOY_CHECK(index >= 0 && index < count(), "picture ", index, " of ", count());
  CONVOY_CHECK(std::ssize(pixels) == kPixels_bytes, pixels.size(), " bytes for 3x32x32");
  file_->read_at(index * kRecord_bytes + 1, std::as_writable_bytes(pixels));
  return labels_[static_cast<std::size_t>(index)];
}

std::unique_ptr<Dataset> open_cifar10(const DatasetRequest& request) {
  const DataPlace place = locate_data(request, "cifar10");
  const std::vector<std::string> names = batch_names(request.split);
  if (place.may_download && !any_present(place.directory, names))
    download_batches(place.directory, request.offline);
  std::vector<CifarBatch> batches;
  std::string absent;
  for (const std::string& name : names) {
    const std::string path = find_packed(place.directory, name);
    if (path.empty())
      absent += (absent.empty() ? "" : ", ") + name;
    else
      batches.emplace_back(io::open_plain(path, kMaxBatch_bytes), kCifarBatchRecords);
  }
  if (batches.empty())
    throw InputError(
        io::join_path(place.directory, names.front()),
        "no such file, nor with .gz or .xz, nor any other batch of this split; put the CIFAR-10 binary "
        "files there or give another --data-dir");
  std::vector<std::string> notes;
  if (!absent.empty())
    notes.push_back(str("absent and left out: ", absent, "; ", std::ssize(batches) * kCifarBatchRecords,
                        " of ", std::ssize(names) * kCifarBatchRecords, " pictures are there"));
  return std::make_unique<Cifar10>(std::move(batches), request.split, std::move(notes));
}

}  // namespace convoy::data
