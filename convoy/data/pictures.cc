#include "convoy/data/pictures.h"

#include <mutex>
#include <utility>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/picture_decoder.h"
#include "convoy/io/file.h"

namespace convoy::data {
namespace {

constexpr std::int64_t kMaxImageSize = 4096;

// What a thread needs to read one picture.
struct Reader {
  std::string bytes;
  std::unique_ptr<PictureDecoder> decoder = make_picture_decoder();
};

// Readers that no thread uses at the moment. Thread-safe.
class ReaderPool {
 public:
  std::unique_ptr<Reader> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        std::unique_ptr<Reader> reader = std::move(free_.back());
        free_.pop_back();
        return reader;
      }
    }
    return std::make_unique<Reader>();
  }
  void put_back(std::unique_ptr<Reader> reader) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(reader));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Reader>> free_;
};

class Pictures final : public Dataset {
 public:
  Pictures(std::shared_ptr<const PictureStore> store, const PartRule& rule, const DatasetRequest& request)
      : store_(std::move(store)),
        division_(store_->counts(), rule),
        size_{3, request.image_size, request.image_size},
        centre_share_(request.centre_crop) {
    info_.sample_shape = {size_.channels, size_.height, size_.width};
    info_.size = division_.size();
    info_.class_names = store_->class_names();
    // The usual ones of photographs; source: torchvision's models.
    info_.mean = {0.485f, 0.456f, 0.406f};
    info_.stddev = {0.229f, 0.224f, 0.225f};
    info_.notes = store_->notes();
    info_.crops = true;
  }

  const DatasetInfo& info() const override { return info_; }
  DatasetInfo& info() { return info_; }

  std::int32_t read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
    return read_box(
        index,
        [this](std::int64_t height, std::int64_t width) {
          return centre_crop(height, width, size_, centre_share_);
        },
        pixels);
  }

  std::int32_t read_crop(std::int64_t index, const CropRange& range, base::RandomStream& random,
                         std::span<std::uint8_t> pixels) const override {
    return read_box(
        index,
        [&](std::int64_t height, std::int64_t width) { return random_crop(height, width, range, random); },
        pixels);
  }

 private:
  std::int32_t read_box(std::int64_t index, const ChooseBox& choose, std::span<std::uint8_t> pixels) const {
    const Division::Place place = division_.at(index);
    std::unique_ptr<Reader> reader = readers_.take();
    const std::string name = store_->read(place.index, reader->bytes);
    reader->decoder->decode(std::as_bytes(std::span(reader->bytes)), name, size_, choose, pixels);
    readers_.put_back(std::move(reader));
    return place.label;
  }

  std::shared_ptr<const PictureStore> store_;
  Division division_;
  ImageSize size_;
  double centre_share_;
  DatasetInfo info_;
  mutable ReaderPool readers_;
};

struct Part {
  std::shared_ptr<const PictureStore> store;
  PartRule rule;
};

Part choose_part(const PicturePlace& place, const DatasetRequest& request) {
  const bool wants_test = request.split == Split::test;
  PartRule rule{.kind = wants_test ? PartRule::Kind::test : PartRule::Kind::train,
                .fold = request.fold,
                .test_share = request.test_share};
  if (!place.test) return {place.train(), rule};
  if (request.fold.count > 0) return {pool(place.train(), place.test(), place.path), rule};
  rule.kind = PartRule::Kind::all;
  return {wants_test ? place.test() : place.train(), rule};
}

}  // namespace

std::string picture_path(const DatasetRequest& request) {
  std::string path =
      request.data_dir.empty() ? request.source : io::join_path(request.data_dir, request.source);
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

std::unique_ptr<Dataset> make_pictures(const PicturePlace& place, const DatasetRequest& request) {
  if (request.image_size < 1 || request.image_size > kMaxImageSize)
    throw base::UsageError(base::str("samples of ", request.image_size, " pixels a side; from 1 to ",
                                     kMaxImageSize, " are made"));
  Part part = choose_part(place, request);
  const std::vector<std::string>& classes = part.store->class_names();
  if (classes.size() < 2)
    throw base::InputError(place.path, classes.empty() ? "no class in it"
                                                       : base::str("one class only, '", classes[0],
                                                                   "'; there is nothing to tell apart"));
  auto pictures = std::make_unique<Pictures>(std::move(part.store), part.rule, request);
  const bool is_test = request.split == Split::test;
  pictures->info().name = io::base_name(place.path) + (is_test ? "/test" : "/train");
  if (pictures->info().size == 0)
    throw base::InputError(place.path, base::str("no picture is left for ", is_test ? "testing" : "training",
                                                 "; choose another --fold or --test-share"));
  return pictures;
}

tensor::Tensor load_photograph(const std::string& path, const tensor::Shape& sample_shape,
                               double centre_share) {
  const ImageSize size{sample_shape[0], sample_shape[1], sample_shape[2]};
  tensor::Tensor sample(tensor::DType::u8, sample_shape);
  const std::string bytes = io::read_file(path);
  make_picture_decoder()->decode(
      std::as_bytes(std::span(bytes)), path, size,
      [&](std::int64_t height, std::int64_t width) { return centre_crop(height, width, size, centre_share); },
      sample.as<std::uint8_t>());
  return sample;
}

}  // namespace convoy::data
