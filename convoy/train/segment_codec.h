// Between a segment as its arena stores it and as files hold it.
#pragma once

#include <span>

#include "convoy/tensor/param_layout.h"

namespace convoy::train {

// Translates segments whose layout_tag is not plain; who plans such layouts brings the codec. Spans have
// segment.count stored and slice-extent-many plain elements and do not overlap. Thread-safe.
class SegmentCodec {
 public:
  virtual ~SegmentCodec() = default;
  virtual void to_plain(const tensor::Segment& segment, std::span<const float> stored,
                        std::span<float> plain) const = 0;
  // Writes zeros where the layout pads.
  virtual void from_plain(const tensor::Segment& segment, std::span<const float> plain,
                          std::span<float> stored) const = 0;
};

}  // namespace convoy::train
