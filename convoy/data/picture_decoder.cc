#include "convoy/data/picture_decoder.h"

#include <vector>

#include "convoy/base/check.h"
#include "convoy/data/image_codecs.h"
#include "convoy/data/resample.h"

namespace convoy::data {
namespace {

// In eighths. The others take longer than the next larger of these (TurboJPEG 2.1, a picture of 240x240: 3/8
// 166 us and 1/2 155; 5/8 256, 7/8 429 and the whole 224).
int decoding_scale(const Box& box, const ImageSize& size) {
  for (const int eighths : {1, 2, 4})
    if (box.height * eighths >= 8.0 * static_cast<double>(size.height) &&
        box.width * eighths >= 8.0 * static_cast<double>(size.width))
      return eighths;
  return 8;
}

// The box in the picture decoded at that scale, whose pixels cover whole blocks: the last ones may reach
// beyond the picture.
Box scaled(const Box& box, int eighths) {
  const double scale = eighths / 8.0;
  return {box.top * scale, box.left * scale, box.height * scale, box.width * scale};
}

class Decoder final : public PictureDecoder {
 public:
  void decode(std::span<const std::byte> bytes, const std::string& name, const ImageSize& size,
              const ChooseBox& choose, std::span<std::uint8_t> pixels) override {
    const ImageSource source{bytes, name, kMaxImagePixels};
    Box box;
    RgbPicture picture;
    if (is_jpeg(bytes)) {
      const JpegFrame frame = jpeg_.read_header(source);
      box = choose(frame.height, frame.width);
      const int eighths = decoding_scale(box, size);
      picture = jpeg_.decode_rgb(source, frame, eighths, values_);
      box = scaled(box, eighths);
    } else {
      const Image image = with_channels(decode_image(bytes, name), 3);
      box = choose(image.height, image.width);
      values_ = interleave_channels(image);
      picture = {.height = image.height, .width = image.width, .pixels = values_};
    }
    resample_box(picture, box, size, pixels, scratch_);
  }

 private:
  JpegDecoder jpeg_;
  std::vector<std::uint8_t> values_;
  ResampleScratch scratch_;
};

}  // namespace

std::unique_ptr<PictureDecoder> make_picture_decoder() { return std::make_unique<Decoder>(); }

}  // namespace convoy::data
