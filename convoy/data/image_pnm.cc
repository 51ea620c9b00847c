#include <algorithm>
#include <cctype>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/image_codecs.h"

namespace convoy::data {
namespace {

using base::InputError;
using base::str;

constexpr std::int64_t kMaxValue = 65535;

// Reads the header's numbers, and the pixels' in the textual formats.
class Scanner {
 public:
  explicit Scanner(const ImageSource& source) : source_(source) {}

  std::size_t position() const { return at_; }
  std::size_t left() const { return source_.bytes.size() - at_; }
  bool at_end() const { return left() == 0; }

  // The next byte, which must exist.
  std::int64_t byte() { return std::to_integer<std::int64_t>(source_.bytes[at_++]); }

  // Blanks and comments: from '#' to the end of the line.
  void skip_blanks() {
    while (!at_end()) {
      const char c = peek();
      if (c == '#') {
        while (!at_end() && peek() != '\n' && peek() != '\r') ++at_;
      } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::int64_t number(const char* what, std::int64_t max) {
    skip_blanks();
    const std::size_t begin = at_;
    std::int64_t value = 0;
    while (!at_end() && peek() >= '0' && peek() <= '9') {
      value = value * 10 + (peek() - '0');
      ++at_;
      if (value > max)
        throw InputError(source_.name, str("the ", what, " at byte ", begin, " is above ", max));
    }
    if (at_ == begin)
      throw InputError(source_.name, str(at_end() ? "cut short: no " : "no ", what, " at byte ", begin));
    return value;
  }

  // The single blank between header and raw pixels.
  void one_blank() {
    if (at_end() || std::isspace(static_cast<unsigned char>(peek())) == 0)
      throw InputError(source_.name, str("no blank after the header at byte ", at_));
    ++at_;
  }

 private:
  char peek() const { return static_cast<char>(source_.bytes[at_]); }

  const ImageSource& source_;
  std::size_t at_ = 2;  // behind the magic
};

}  // namespace

Image decode_pnm(const ImageSource& source) {
  const char kind = static_cast<char>(source.bytes[1]);
  const bool is_text = kind == '2' || kind == '3';
  Scanner scanner(source);
  constexpr std::int64_t kMaxSide = std::int64_t{1} << 31;
  Image image;
  image.channels = kind == '3' || kind == '6' ? 3 : 1;
  image.width = scanner.number("width", kMaxSide);
  image.height = scanner.number("height", kMaxSide);
  const std::int64_t max_value = scanner.number("maximum value", kMaxValue);
  if (max_value == 0) throw InputError(source.name, "the maximum value is 0");
  check_image_size(source, image.height, image.width);
  if (!is_text) scanner.one_blank();

  const std::int64_t count = image.channels * image.height * image.width;
  const std::int64_t value_bytes = max_value > 255 ? 2 : 1;
  // In text a value takes a digit and a blank, but the last; so a short file cannot ask for much memory.
  const std::int64_t least_bytes = is_text ? 2 * count - 1 : value_bytes * count;
  if (static_cast<std::int64_t>(scanner.left()) < least_bytes)
    throw InputError(source.name, str("cut short: ", least_bytes, " bytes of pixels expected after byte ",
                                      scanner.position(), ", ", scanner.left(), " found"));
  std::vector<std::uint8_t> values(static_cast<std::size_t>(count));
  for (std::uint8_t& out : values) {
    std::int64_t value = 0;
    if (is_text)
      value = scanner.number("value", max_value);
    else
      value = value_bytes == 2 ? scanner.byte() * 256 : 0, value += scanner.byte();
    if (value > max_value)
      throw InputError(source.name,
                       str("the value before byte ", scanner.position(), " is above ", max_value));
    out = static_cast<std::uint8_t>((value * 255 + max_value / 2) / max_value);
  }
  if (is_text) scanner.skip_blanks();
  if (!scanner.at_end())
    throw InputError(source.name, str("too long: ", scanner.left(), " bytes after the last pixel at byte ",
                                      scanner.position()));
  split_channels(values, image);
  return image;
}

std::string encode_pnm(const Image& image) {
  CONVOY_CHECK(image.channels == 1 || image.channels == 3, image.channels, " channels");
  const std::vector<std::uint8_t> values = interleave_channels(image);
  std::string out = str(image.channels == 1 ? "P5\n" : "P6\n", image.width, " ", image.height, "\n255\n");
  out.append(values.begin(), values.end());
  return out;
}

}  // namespace convoy::data
