#include "convoy/run/segment_codec.h"

#include "convoy/kernels/convert.h"

namespace convoy::run {
namespace {

using kernels::Layout;
using kernels::stored_layout;

class KernelCodec final : public train::SegmentCodec {
 public:
  void to_plain(const tensor::Segment& segment, std::span<const float> stored,
                std::span<float> plain) const override {
    convert(segment, stored_layout(segment), stored.data(), Layout::plain(), plain.data());
  }
  void from_plain(const tensor::Segment& segment, std::span<const float> plain,
                  std::span<float> stored) const override {
    convert(segment, Layout::plain(), plain.data(), stored_layout(segment), stored.data());
  }

 private:
  static void convert(const tensor::Segment& segment, const Layout& from, const float* source,
                      const Layout& to, float* target) {
    kernels::make_converter({tensor::Shape(segment.slice.extent), tensor::DType::f32, from, to})
        ->run(source, target);
  }
};

}  // namespace

std::shared_ptr<const train::SegmentCodec> make_segment_codec() { return std::make_shared<KernelCodec>(); }

}  // namespace convoy::run
