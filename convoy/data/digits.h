// The embedded digits: a generator of handwritten-looking digits that needs no file and no network.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "convoy/data/dataset.h"

namespace convoy::data {

inline constexpr int kDigitSide = 28;
inline constexpr std::int64_t kDigitPixels = kDigitSide * kDigitSide;

// Draws example `index` of a split and returns its class 0 … 9.
//
// A style of the digit is taken from its skeletons (digit_glyphs.h); its knots are jittered, joined by
// Catmull-Rom curves, sheared, rotated, scaled and moved, bent by a smooth random displacement field, and
// drawn with a soft round pen of varying width. Contrast, background, a faint stray stroke in some images,
// and pixel noise follow. Ten consecutive examples, from a multiple of ten on, hold each class once.
//
// pixels: 784 grey values, row-major, 0 = paper, 255 = ink. Requires 0 <= index < 2^32.
// Thread-safe. A pure function of (seed, split, index): the splits draw from disjoint random streams. No
// function of libm is involved, so builds that do not contract a*b+c into one rounding agree bit by bit.
// About 9 microseconds; allocates nothing.
std::int32_t render_digit(std::uint64_t seed, Split split, std::int64_t index,
                          std::span<std::uint8_t> pixels);

// The digits as a data set of request.size examples (0: 60,000 for training, 10,000 for testing), drawn from
// request.seed; request.data_dir and request.offline do not matter.
// Up to 2^17 examples are rendered here, on the team of base::parallel_for (784 bytes each); a larger set is
// drawn example by example in read(), so that memory stays bounded. Both give the same pixels.
// Throws UsageError for a size that is negative or above 2^32.
std::unique_ptr<Dataset> open_digits(const DatasetRequest& request);

}  // namespace convoy::data
