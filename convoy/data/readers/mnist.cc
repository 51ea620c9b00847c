#include "convoy/data/readers/mnist.h"

#include <array>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/download.h"
#include "convoy/data/readers/idx.h"
#include "convoy/data/readers/locate.h"
#include "convoy/io/archive.h"

namespace convoy::data {
namespace {

constexpr int kClasses = 10;
constexpr std::int64_t kMaxIdx_bytes = std::int64_t{1} << 32;

// One of the four published files.
struct PublishedFile {
  std::string_view stem;
  std::string_view sha256;  // of STEM.gz as it was published
  std::int64_t size_bytes;
};

constexpr std::array<PublishedFile, 4> kFiles{{
    {"train-images-idx3-ubyte", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422},
    {"train-labels-idx1-ubyte", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881},
    {"t10k-images-idx3-ubyte", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877},
    {"t10k-labels-idx1-ubyte", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542},
}};

constexpr std::array<std::string_view, 2> kMirrors{"https://ossci-datasets.s3.amazonaws.com/mnist/",
                                                   "https://storage.googleapis.com/cvdf-datasets/mnist/"};

class Mnist final : public Dataset {
 public:
  Mnist(IdxImages images, std::vector<std::uint8_t> labels, Split split)
      : images_(std::move(images)), labels_(std::move(labels)) {
    info_.name = split == Split::train ? "mnist/train" : "mnist/test";
    info_.sample_shape = {1, images_.rows(), images_.columns()};
    info_.size = images_.count();
    for (int digit = 0; digit < kClasses; ++digit) info_.class_names.push_back(std::to_string(digit));
    info_.mean = {0.1307f};
    info_.stddev = {0.3081f};
  }

  const DatasetInfo& info() const override { return info_; }

  std::int32_t read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
    images_.read(index, pixels);
    return labels_[static_cast<std::size_t>(index)];
  }

 private:
  IdxImages images_;
  std::vector<std::uint8_t> labels_;
  DatasetInfo info_;
};

// The path of one of the four files, downloaded if need be.
std::string obtain(const PublishedFile& file, const DataPlace& place, bool offline) {
  if (const std::string found = find_packed(place.directory, file.stem); !found.empty()) return found;
  if (!place.may_download)
    throw base::InputError(
        io::join_path(place.directory, std::string(file.stem)),
        "no such file, nor with .gz or .xz; put the MNIST files there or give another --data-dir");
  RemoteFile remote;
  remote.name = std::string(file.stem) + ".gz";
  for (const std::string_view mirror : kMirrors) remote.urls.push_back(std::string(mirror) + remote.name);
  remote.sha256 = file.sha256;
  remote.size_bytes = file.size_bytes;
  return download(remote, place.directory, {.offline = offline});
}

}  // namespace

std::unique_ptr<Dataset> make_mnist(std::shared_ptr<const io::RandomAccessFile> images,
                                    const io::RandomAccessFile& labels, Split split) {
  const std::string images_name = images->name();
  IdxImages parsed(std::move(images));
  std::vector<std::uint8_t> classes = read_idx_labels(labels, kClasses);
  if (parsed.count() != std::ssize(classes))
    throw base::InputError(labels.name(), base::str("has ", classes.size(), " labels for the ",
                                                    parsed.count(), " images of ", images_name));
  return std::make_unique<Mnist>(std::move(parsed), std::move(classes), split);
}

std::unique_ptr<Dataset> open_mnist(const DatasetRequest& request) {
  const DataPlace place = locate_data(request, "mnist");
  const std::size_t first = request.split == Split::train ? 0 : 2;
  const std::string images = obtain(kFiles[first], place, request.offline);
  const std::string labels = obtain(kFiles[first + 1], place, request.offline);
  return make_mnist(io::open_plain(images, kMaxIdx_bytes), *io::open_plain(labels, kMaxIdx_bytes),
                    request.split);
}

}  // namespace convoy::data
