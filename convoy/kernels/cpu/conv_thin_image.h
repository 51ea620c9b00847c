// Images with fewer channels than a vector has lanes, laid out so that every tap of every pixel is a vector
// load.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_lowering.h"

namespace convoy::kernels::cpu {

// Element (channel, pixel) at data + channel * channel_stride + pixel * pixel_stride.
struct ThinSource {
  const float* data = nullptr;
  std::int64_t channel_stride = 0;
  std::int64_t pixel_stride = 0;
};

// Grid pixels [pixel, pixel + pixels) and entries [entry, entry + entries) of the column matrix, where entry
// = channel * taps + tap.
struct ThinPiece {
  std::int64_t pixel = 0, pixels = 0;
  std::int64_t entry = 0, entries = 0;
};

// A copy of the source rows that some grid rows meet, with the padding written out and the columns sorted by
// their remainder by the stride: what one tap meets along a grid row is contiguous then.
class ThinImage {
 public:
  // For at most `rows` grid rows at a time.
  ThinImage(Lowering lowering, std::int64_t channels, std::int64_t rows);

  std::int64_t count() const;  // floats of the copy
  std::int64_t rows() const { return rows_; }
  const Lowering& lowering() const { return lowering_; }
  std::int64_t entries() const { return static_cast<std::int64_t>(places_.size()); }

  // Copies what grid rows [rows.begin, rows.end) meet.
  void fill(const ThinSource& source, base::IndexRange rows, float* copy) const noexcept;
  // to[(e - entry) L + i] = what grid pixel `pixel` + i < pixel + pixels meets by entry e; lanes behind are
  // arbitrary, and so are L floats behind the last entry. pixels <= L = simd_lanes(). `first_row` is that of
  // fill.
  void lower(const float* copy, std::int64_t first_row, const ThinPiece& piece, float* to) const noexcept;

 private:
  void fill_row(const float* source, std::int64_t pixel_stride, float* to) const noexcept;

  Lowering lowering_;
  std::int64_t channels_ = 0, rows_ = 0;
  std::int64_t first_row_ = 0, first_column_ = 0;  // the least of the taps'
  std::int64_t copied_rows_ = 0, width_ = 0;       // of a channel; of one remainder
  std::vector<std::int64_t> places_;               // of the entries in the copy
};

}  // namespace convoy::kernels::cpu
