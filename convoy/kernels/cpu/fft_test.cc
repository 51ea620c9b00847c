// Transforms against the definition in float64, on every instruction set.
#include "convoy/kernels/cpu/fft.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "convoy/base/rng.h"
#include "convoy/kernels/cpu/fft_twiddles.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/tensor/view.h"

namespace convoy::kernels::cpu {
namespace {

using Complex = std::complex<double>;
constexpr double kEpsilon = 1.0 / (1 << 23);

Complex root(std::int64_t k, std::int64_t n) {
  return std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(k % n) / static_cast<double>(n));
}

// X[k] of the definition.
std::vector<Complex> transform(const std::vector<Complex>& x) {
  const auto n = static_cast<std::int64_t>(x.size());
  std::vector<Complex> result(x.size());
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t j = 0; j < n; ++j)
      result[static_cast<std::size_t>(k)] += x[static_cast<std::size_t>(j)] * root(j * k, n);
  return result;
}

// The half spectrum of one lane of a tile [rows][columns][lanes]: [v][u].
std::vector<std::vector<Complex>> half_spectrum(const float* tile, int rows, int columns, std::int64_t lanes,
                                                std::int64_t lane) {
  std::vector<std::vector<Complex>> result(static_cast<std::size_t>(columns / 2 + 1));
  std::vector<std::vector<Complex>> lines;
  for (int r = 0; r < rows; ++r) {
    std::vector<Complex> line;
    for (int s = 0; s < columns; ++s) line.emplace_back(tile[(r * columns + s) * lanes + lane]);
    lines.push_back(transform(line));
  }
  for (std::size_t v = 0; v < result.size(); ++v) {
    std::vector<Complex> column;
    for (const auto& line : lines) column.push_back(line[v]);
    result[v] = transform(column);
  }
  return result;
}

class Floats {
 public:
  explicit Floats(std::int64_t count) : buffer_(count * 4) {}
  float* data() { return reinterpret_cast<float*>(buffer_.data()); }
  float& operator[](std::int64_t i) { return data()[i]; }

 private:
  tensor::Buffer buffer_;
};

void draw(Floats& to, std::int64_t count, std::uint64_t seed) {
  base::RandomStream random(seed, base::Purpose::test, 11, 0);
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(random.uniform() * 2 - 1);
}

void expect_right(int rows, int columns) {
  SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(columns));
  const RealFft2d fft(rows, columns);
  const std::int64_t lanes = simd_lanes(), batch = 2;
  Floats x(batch * fft.tile_floats()), y(batch * fft.tile_floats()), spectra(batch * fft.spectrum_floats()),
      scratch(fft.scratch_floats());
  draw(x, batch * fft.tile_floats(), static_cast<std::uint64_t>(100 * rows + columns));
  fft.forward(x.data(), batch, spectra.data(), scratch.data());
  fft.inverse(spectra.data(), batch, y.data(), scratch.data());

  // docs/numerics.md: the error of the spectrum is below e times its norm; the way back adds as much.
  const double points = rows * columns, e = (4.5 * std::log2(points) + 0.5) * kEpsilon;
  const std::int64_t tile = batch - 1, lane = lanes - 2;
  const auto right = half_spectrum(x.data() + tile * fft.tile_floats(), rows, columns, lanes, lane);
  double error = 0, norm = 0;
  for (std::int64_t v = 0; v <= columns / 2; ++v)
    for (std::int64_t u = 0; u < rows; ++u) {
      const float* at = spectra.data() + tile * fft.spectrum_floats() + (v * rows + u) * 2 * lanes + lane;
      const Complex wanted = 2.0 * right[static_cast<std::size_t>(v)][static_cast<std::size_t>(u)];
      error += std::norm(Complex(at[0], at[lanes]) - wanted);
      norm += std::norm(wanted);
    }
  EXPECT_LE(std::sqrt(error), e * std::sqrt(norm));
  EXPECT_GT(norm, points);
  const double bound = 2 * e * std::sqrt(points);
  for (std::int64_t i = 0; i < batch * fft.tile_floats(); ++i) ASSERT_NEAR(x[i], y[i], bound) << i;
}

TEST(Fft, EverySizeIsTheDefinition) {
  on_each_instruction_set([] {
    for (const int points : fft_sizes()) {
      expect_right(points, 8);
      expect_right(10, points);
    }
    expect_right(32, 32);
    EXPECT_EQ(find_fft(7), nullptr);
    for (const int points : fft_sizes()) EXPECT_EQ(find_fft(points)->points, points);
  });
}

// What is not given counts as zero, wherever the given part begins; an odd last row has no partner.
TEST(Fft, PartsOfATileAreTheTileWithZeros) {
  on_each_instruction_set([] {
    const int rows = 24, columns = 20, first_row = 3, first_column = 2, given_rows = 15, given_columns = 13;
    const std::int64_t lanes = simd_lanes(), map_width = 17;
    const std::int64_t frequencies = columns / 2 + 1;
    Floats part(given_rows * map_width * lanes), whole(rows * columns * lanes);
    draw(part, given_rows * map_width * lanes, 5);
    for (std::int64_t i = 0; i < rows * columns * lanes; ++i) whole[i] = 0;
    for (std::int64_t r = 0; r < given_rows; ++r)
      for (std::int64_t i = 0; i < given_columns * lanes; ++i)
        whole[((r + first_row) * columns + first_column) * lanes + i] = part[r * map_width * lanes + i];
    const RealFft2d fft(rows, columns);
    Floats wanted(fft.spectrum_floats()), scratch(fft.scratch_floats());
    fft.forward(whole.data(), 1, wanted.data(), scratch.data());

    const std::int64_t step = 2 * lanes * (given_rows + 1);
    Floats lines(frequencies * step), spectrum(rows * 3 * lanes);
    find_fft(columns)->rows_forward({.x = part.data(),
                                     .row_step = map_width * lanes,
                                     .column_step = lanes,
                                     .rows = given_rows,
                                     .columns = given_columns,
                                     .first_column = first_column,
                                     .spectra = lines.data(),
                                     .frequency_step = step});
    for (std::int64_t v = 0; v < frequencies; ++v) {
      find_fft(rows)->column_forward({.column = lines.data() + v * step,
                                      .rows = given_rows,
                                      .first_row = first_row,
                                      .spectrum = spectrum.data(),
                                      .frequency_step = 3 * lanes});
      for (std::int64_t u = 0; u < rows; ++u)
        for (std::int64_t l = 0; l < lanes; ++l) {
          const std::int64_t at = (v * rows + u) * 2 * lanes + l, got = u * 3 * lanes + l;
          ASSERT_NEAR(spectrum[got], wanted[at], 1e-4);
          ASSERT_NEAR(spectrum[got + lanes], wanted[at + lanes], 1e-4);
        }
    }
  });
}

TEST(Fft, TheInverseScalesAddsTheBiasAndCutsNegatives) {
  on_each_instruction_set([] {
    const int points = 12, rows = 5, columns = 7;
    const RealFft2d fft(points, points);
    const std::int64_t lanes = simd_lanes();
    Floats x(fft.tile_floats()), spectra(fft.spectrum_floats()), lines(fft.spectrum_floats()),
        scratch(fft.scratch_floats()), y(rows * columns * lanes), bias(lanes);
    draw(x, fft.tile_floats(), 8);
    draw(bias, lanes, 9);
    fft.forward(x.data(), 1, spectra.data(), scratch.data());
    const std::int64_t step = 2 * lanes * points;
    for (std::int64_t i = 0; i < fft.spectrum_floats(); ++i) lines[i] = 0;
    for (int round = 0; round < 2; ++round)  // the second one adds as much again
      for (std::int64_t v = 0; v <= points / 2; ++v)
        find_fft(points)->column_inverse({.spectrum = spectra.data() + v * step,
                                          .frequency_step = 2 * lanes,
                                          .column = lines.data() + v * step,
                                          .rows = points,
                                          .accumulate = true});
    find_fft(points)->rows_inverse({.spectra = lines.data(),
                                    .frequency_step = step,
                                    .y = y.data(),
                                    .row_step = columns * lanes,
                                    .column_step = lanes,
                                    .rows = rows,
                                    .columns = columns,
                                    .scale = 0.25F / (points * points),
                                    .bias = bias.data(),
                                    .relu = true});
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t s = 0; s < columns; ++s)
        for (std::int64_t l = 0; l < lanes; ++l) {
          const float wanted = std::max(0.0F, x[(r * points + s) * lanes + l] + bias[l]);
          ASSERT_NEAR(y[(r * columns + s) * lanes + l], wanted, 1e-5);
        }
  });
}

TEST(Fft, RootsAreExactWhereTheyCanBe) {
  for (const int n : {3, 5, 7, 8, 11, 12, 60, 88, 96})
    for (int k = -n; k < 2 * n; ++k) {
      const Root r = root_of_unity(k, n);
      const Complex wanted = root((k + n) % n, n);
      EXPECT_NEAR(r.re, wanted.real(), 2e-15) << k << '/' << n;
      EXPECT_NEAR(r.im, wanted.imag(), 2e-15) << k << '/' << n;
    }
  EXPECT_EQ(root_of_unity(1, 4).re, 0);
  EXPECT_EQ(root_of_unity(1, 4).im, -1);
  EXPECT_EQ(root_of_unity(1, 8).re, -root_of_unity(1, 8).im);
}

}  // namespace
}  // namespace convoy::kernels::cpu
