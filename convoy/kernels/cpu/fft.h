// Real 2-D discrete Fourier transforms of small tiles, one transform a vector lane.
#pragma once

#include <cstdint>
#include <span>

namespace convoy::kernels::cpu {

// An element of a tile is a vector of L lanes (family_block(): 16 floats with AVX-512, 8 with AVX2), an
// element of a spectrum a vector of L real parts and behind it one of L imaginary parts. Everything is
// aligned to 64 bytes. A 2-D transform of R rows and S columns is four passes over 1-D transforms:
//   rows_forward      real rows, two at a time as one complex row, to S/2 + 1 frequencies each
//   columns_forward   complex columns to R frequencies
//   columns_inverse   and back, unscaled
//   rows_inverse      half spectra to real rows, unscaled
// Both forward row transforms come out doubled (the halves of the split are left to the caller's scale), so
// that inverse(forward(x)) = 2 R S x.

// Rows of reals; all that is not given is zero.
struct FftRows {
  const float* x = nullptr;                    // element [0][0] of what is given
  std::int64_t row_step = 0, column_step = 0;  // floats
  int rows = 0, columns = 0;                   // that are given
  int first_column = 0;                        // the column of the tile that the first given one is
  float* spectra = nullptr;                    // [frequency][row, rounded up to even][re, im][L]
  std::int64_t frequency_step = 0;             // floats
};

// One complex column; all that is not given is zero.
struct FftColumn {
  const float* column = nullptr;  // [row][re, im][L]
  int rows = 0;                   // that are given
  int first_row = 0;              // the row of the tile that the first given one is
  float* spectrum = nullptr;      // [frequency][re, im][L]
  std::int64_t frequency_step = 0;
};

// The way back of FftColumn: the first `rows` rows.
struct InverseFftColumn {
  const float* spectrum = nullptr;  // [frequency][re, im][L]
  std::int64_t frequency_step = 0;
  float* column = nullptr;  // [row][re, im][L]
  int rows = 0;
  bool accumulate = false;
};

// The way back of FftRows: y = relu(scale x + bias), the first `rows` rows and `columns` columns.
struct InverseFftRows {
  const float* spectra = nullptr;  // [frequency][row, rounded up to even][re, im][L]
  std::int64_t frequency_step = 0;
  float* y = nullptr;
  std::int64_t row_step = 0, column_step = 0;
  int rows = 0, columns = 0;
  float scale = 1;
  const float* bias = nullptr;  // L floats, or null: zero
  bool relu = false;
  bool stream = false;  // past the caches: y is too large to be found there again
};

// The passes for one number of points, compiled for the instruction set that Highway chose when they were
// asked for.
struct FftPasses {
  int points = 0;
  void (*rows_forward)(const FftRows&) = nullptr;
  void (*column_forward)(const FftColumn&) = nullptr;
  void (*column_inverse)(const InverseFftColumn&) = nullptr;
  void (*rows_inverse)(const InverseFftRows&) = nullptr;
};

// The numbers of points that there are, ascending, all even.
std::span<const int> fft_sizes();

// Null where there is no such number of points, and below AVX2.
const FftPasses* find_fft(int points);

// A batch of whole 2-D transforms of contiguous tiles, for whoever wants spectra and no convolution.
//   X[v][u] = 2 sum over r, s of x[r][s] exp(-2 pi i (u r / R + v s / S)),  v = 0 … S/2, u = 0 … R-1
// tiles [batch][R][S][L] <-> spectra [batch][S/2 + 1][R][re, im][L]. The inverse undoes the forward transform
// (scaled by 1 / (2 R S)). Requires find_fft of R and S. One thread; allocates nothing.
class RealFft2d {
 public:
  RealFft2d(int rows, int columns);
  std::int64_t tile_floats() const;
  std::int64_t spectrum_floats() const;
  std::int64_t scratch_floats() const;  // of either direction
  // 2.5 R S lg(R S) for each lane: the usual count of operations, not what is computed.
  double nominal_flops() const;
  void forward(const float* tiles, std::int64_t batch, float* spectra, float* scratch) const noexcept;
  void inverse(const float* spectra, std::int64_t batch, float* tiles, float* scratch) const noexcept;

 private:
  const FftPasses* rows_ = nullptr;     // of `columns` points
  const FftPasses* columns_ = nullptr;  // of `rows` points
  std::int64_t lanes_ = 0;
};

}  // namespace convoy::kernels::cpu
