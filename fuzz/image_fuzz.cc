// Any bytes as a PNM, PNG or JPEG picture; whatever is accepted must survive a lossless round trip and a
// resize, and be shown in part.
#include "convoy/data/image.h"

#include <vector>

#include "convoy/base/error.h"
#include "convoy/data/picture_decoder.h"
#include "fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::int64_t kMaxPixels = 1 << 16;
  try {
    const convoy::data::Image image =
        convoy::data::decode_image(convoy::fuzz::as_bytes(data, size), "input", kMaxPixels);
    CONVOY_CHECK(std::ssize(image.pixels) == image.channels * image.height * image.width);
    const std::string pnm = convoy::data::encode_pnm(image);
    CONVOY_CHECK(convoy::data::decode_image(std::as_bytes(std::span(pnm)), "printed").pixels == image.pixels);
    CONVOY_CHECK(convoy::data::fit_image(image, {1, 9, 11}).pixels.size() == 99);
    std::vector<std::uint8_t> part(3 * 5 * 7);
    convoy::data::make_picture_decoder()->decode(
        convoy::fuzz::as_bytes(data, size), "input", {3, 5, 7},
        [](std::int64_t height, std::int64_t width) {
          return convoy::data::Box{static_cast<double>(height) / 4, static_cast<double>(width) / 3,
                                   static_cast<double>(height) / 2, static_cast<double>(width) / 2};
        },
        part);
  } catch (const convoy::base::InputError& error) {
    CONVOY_CHECK(error.file() == "input", error.what());
  }
  return 0;
}
