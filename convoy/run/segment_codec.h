// Translation of blocked parameter storage by the kernels' conversions.
#pragma once

#include <memory>

#include "convoy/train/segment_codec.h"

namespace convoy::run {

std::shared_ptr<const train::SegmentCodec> make_segment_codec();

}  // namespace convoy::run
