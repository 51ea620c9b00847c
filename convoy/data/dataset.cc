#include "convoy/data/dataset.h"

#include "convoy/base/check.h"

namespace convoy::data {

std::int32_t Dataset::read_crop(std::int64_t, const CropRange&, base::RandomStream&,
                                std::span<std::uint8_t>) const {
  CONVOY_CHECK(false, info().name, " has pictures of one size, which are not cropped");
}

}  // namespace convoy::data
