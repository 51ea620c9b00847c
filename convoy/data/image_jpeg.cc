#include <turbojpeg.h>

#include <cstring>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/image_codecs.h"

namespace convoy::data {
namespace {

// A progressive picture of many scans takes time out of all proportion to its size.
constexpr int kFlags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT;

const unsigned char* data_of(const ImageSource& source) {
  return reinterpret_cast<const unsigned char*>(source.bytes.data());
}

unsigned long size_of(const ImageSource& source) { return static_cast<unsigned long>(source.bytes.size()); }

// Whether an APP14 segment of Adobe's stands before the picture: its CMYK values are inverted, by convention.
bool has_adobe_marker(std::span<const std::byte> bytes) {
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(bytes[i]); };
  constexpr unsigned kApp14 = 0xee, kStartOfScan = 0xda;
  for (std::size_t i = 2; i + 9 <= bytes.size() && at(i) == 0xff && at(i + 1) != kStartOfScan;) {
    if (at(i + 1) == kApp14 && std::memcmp(bytes.data() + i + 4, "Adobe", 5) == 0) return true;
    i += 2 + (at(i + 2) << 8 | at(i + 3));
  }
  return false;
}

// {…, 4} to {…, 3}, in place; `inverted` values count from black.
void cmyk_to_rgb(std::vector<std::uint8_t>& values, bool inverted) {
  const auto ink = [&](std::uint8_t value) { return inverted ? int{value} : 255 - value; };
  std::size_t to = 0;
  for (std::size_t from = 0; from + 4 <= values.size(); from += 4) {
    const int light = ink(values[from + 3]);
    for (std::size_t c = 0; c < 3; ++c)
      values[to++] = static_cast<std::uint8_t>((ink(values[from + c]) * light + 127) / 255);
  }
  values.resize(to);
}

}  // namespace

void JpegDecoder::Close::operator()(void* handle) const { tjDestroy(handle); }

JpegDecoder::JpegDecoder() : handle_(tjInitDecompress()) {
  CONVOY_CHECK(handle_ != nullptr, "TurboJPEG cannot start: ", tjGetErrorStr2(nullptr));
}

void JpegDecoder::fail(const ImageSource& source) const {
  throw base::InputError(source.name, base::str("bad JPEG: ", tjGetErrorStr2(handle_.get())));
}

JpegFrame JpegDecoder::read_header(const ImageSource& source) {
  int width = 0, height = 0, subsampling = 0, colour_space = 0;
  if (tjDecompressHeader3(handle_.get(), data_of(source), size_of(source), &width, &height, &subsampling,
                          &colour_space) != 0)
    fail(source);
  // A file that ends before the frame header passes for one of tables alone.
  if (width < 1 || height < 1) throw base::InputError(source.name, "bad JPEG: no picture in it");
  check_image_size(source, height, width);
  return {.height = height,
          .width = width,
          .is_grey = colour_space == TJCS_GRAY,
          .is_cmyk = colour_space == TJCS_CMYK || colour_space == TJCS_YCCK};
}

RgbPicture JpegDecoder::decode_rgb(const ImageSource& source, const JpegFrame& frame, int eighths,
                                   std::vector<std::uint8_t>& values) {
  CONVOY_CHECK(eighths >= 1 && eighths <= 8, eighths, "/8");
  const tjscalingfactor factor{eighths, 8};
  const int width = TJSCALED(static_cast<int>(frame.width), factor);
  const int height = TJSCALED(static_cast<int>(frame.height), factor);
  values.resize(static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * (frame.is_cmyk ? 4 : 3));
  if (tjDecompress2(handle_.get(), data_of(source), size_of(source), values.data(), width, 0, height,
                    frame.is_cmyk ? TJPF_CMYK : TJPF_RGB, kFlags) != 0)
    fail(source);
  if (frame.is_cmyk) cmyk_to_rgb(values, has_adobe_marker(source.bytes));
  return {.height = height, .width = width, .pixels = values};
}

Image decode_jpeg(const ImageSource& source) {
  JpegDecoder decoder;
  const JpegFrame frame = decoder.read_header(source);
  std::vector<std::uint8_t> values;
  decoder.decode_rgb(source, frame, 8, values);
  Image image{.channels = 3, .height = frame.height, .width = frame.width, .pixels = {}};
  split_channels(values, image);
  if (!frame.is_grey) return image;
  image.channels = 1;  // all three are equal
  image.pixels.resize(static_cast<std::size_t>(image.height * image.width));
  return image;
}

}  // namespace convoy::data
