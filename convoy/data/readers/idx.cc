#include "convoy/data/readers/idx.h"

#include <algorithm>
#include <array>

#include "convoy/base/check.h"
#include "convoy/base/error.h"

namespace convoy::data {
namespace {

using base::InputError;
using base::str;

constexpr std::int64_t kImageMagic = 2051;  // unsigned bytes, three dimensions
constexpr std::int64_t kLabelMagic = 2049;  // unsigned bytes, one dimension
constexpr std::int64_t kImageHeader_bytes = 16;
constexpr std::int64_t kLabelHeader_bytes = 8;
constexpr std::int64_t kMaxSide = 4096;

// `count` big-endian words from the start of the file, the first of which must be `magic`.
std::vector<std::int64_t> read_header(const io::RandomAccessFile& file, std::int64_t magic,
                                      std::size_t count) {
  const auto header_bytes = static_cast<std::int64_t>(4 * count);
  if (file.size_bytes() < header_bytes)
    throw InputError(file.name(), str("cut short: an IDX header of ", header_bytes, " bytes expected, ",
                                      file.size_bytes(), " bytes found"));
  std::vector<std::byte> bytes(4 * count);
  file.read_at(0, bytes);
  std::vector<std::int64_t> words;
  for (std::size_t i = 0; i < bytes.size(); i += 4) {
    std::int64_t word = 0;
    for (std::size_t k = 0; k < 4; ++k) word = word * 256 + std::to_integer<std::int64_t>(bytes[i + k]);
    words.push_back(word);
  }
  if (words[0] != magic)
    throw InputError(file.name(), str("not an IDX file of ", magic == kImageMagic ? "images" : "labels",
                                      ": starts with ", words[0], ", expected ", magic));
  return words;
}

void check_size(const io::RandomAccessFile& file, std::int64_t expected_bytes, const std::string& contents) {
  if (file.size_bytes() == expected_bytes) return;
  throw InputError(file.name(),
                   str(file.size_bytes() < expected_bytes ? "cut short" : "too long", ": ", contents,
                       " take ", expected_bytes, " bytes, ", file.size_bytes(), " bytes found"));
}

}  // namespace

IdxImages::IdxImages(std::shared_ptr<const io::RandomAccessFile> file) : file_(std::move(file)) {
  const std::vector<std::int64_t> words = read_header(*file_, kImageMagic, 4);
  count_ = words[1];
  rows_ = words[2];
  columns_ = words[3];
  if (count_ < 1 || rows_ < 1 || columns_ < 1 || rows_ > kMaxSide || columns_ > kMaxSide)
    throw InputError(file_->name(), str("announces ", count_, " images of ", rows_, "x", columns_,
                                        "; expected at least one, of sides 1 … ", kMaxSide));
  check_size(*file_, kImageHeader_bytes + count_ * rows_ * columns_,
             str(count_, " images of ", rows_, "x", columns_));
}

void IdxImages::read(std::int64_t index, std::span<std::uint8_t> pixels) const {
  CONVOY_CHECK(index >= 0 && index < count_, "image ", index, " of ", count_);
  CONVOY_CHECK(std::ssize(pixels) == rows_ * columns_, pixels.size(), " bytes for ", rows_, "x", columns_);
  file_->read_at(kImageHeader_bytes + index * rows_ * columns_, std::as_writable_bytes(pixels));
}

std::vector<std::uint8_t> read_idx_labels(const io::RandomAccessFile& file, int class_count) {
  const std::int64_t count = read_header(file, kLabelMagic, 2)[1];
  check_size(file, kLabelHeader_bytes + count, str(count, " labels"));
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(count));
  file.read_at(kLabelHeader_bytes, std::as_writable_bytes(std::span(labels)));
  const auto bad =
      std::find_if(labels.begin(), labels.end(), [class_count](std::uint8_t x) { return x >= class_count; });
  if (bad != labels.end())
    throw InputError(file.name(),
                     str("label ", int{*bad}, " at byte ", kLabelHeader_bytes + (bad - labels.begin()),
                         " is out of range; expected 0 … ", class_count - 1));
  return labels;
}

}  // namespace convoy::data
