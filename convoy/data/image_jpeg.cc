#include <turbojpeg.h>

#include <memory>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/image_codecs.h"

namespace convoy::data {
namespace {

// A progressive picture of many scans takes time out of all proportion to its size.
constexpr int kFlags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT;

struct CloseJpeg {
  void operator()(void* handle) const { tjDestroy(handle); }
};

}  // namespace

Image decode_jpeg(const ImageSource& source) {
  const std::unique_ptr<void, CloseJpeg> jpeg(tjInitDecompress());
  CONVOY_CHECK(jpeg != nullptr, "TurboJPEG cannot start: ", tjGetErrorStr2(nullptr));
  const auto fail = [&]() {
    throw base::InputError(source.name, base::str("bad JPEG: ", tjGetErrorStr2(jpeg.get())));
  };
  const auto* bytes = reinterpret_cast<const unsigned char*>(source.bytes.data());
  const auto size_bytes = static_cast<unsigned long>(source.bytes.size());
  int width = 0, height = 0, subsampling = 0, colour_space = 0;
  if (tjDecompressHeader3(jpeg.get(), bytes, size_bytes, &width, &height, &subsampling, &colour_space) != 0)
    fail();
  if (colour_space == TJCS_CMYK || colour_space == TJCS_YCCK)
    throw base::InputError(source.name, "a CMYK JPEG, which is not supported; convert it to RGB");
  // A file that ends before the frame header passes for one of tables alone.
  if (width < 1 || height < 1) throw base::InputError(source.name, "bad JPEG: no picture in it");
  check_image_size(source, height, width);
  const bool is_grey = colour_space == TJCS_GRAY;
  Image image{.channels = is_grey ? 1 : 3, .height = height, .width = width, .pixels = {}};
  std::vector<std::uint8_t> values(static_cast<std::size_t>(image.channels * image.height * image.width));
  if (tjDecompress2(jpeg.get(), bytes, size_bytes, values.data(), width, 0, height,
                    is_grey ? TJPF_GRAY : TJPF_RGB, kFlags) != 0)
    fail();
  split_channels(values, image);
  return image;
}

}  // namespace convoy::data
