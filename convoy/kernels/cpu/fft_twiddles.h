// Roots of unity at compile time.
#pragma once

#include <array>

namespace convoy::kernels::cpu {

struct Root {
  double re = 1, im = 0;
};

// exp(-2 pi i k / n), correct to the last places of double: Taylor's series on the first octant, and the
// octants' symmetries, so that roots that are 0, 1 or sqrt(1/2) in one part are so exactly and in pairs.
constexpr Root root_of_unity(long long k, long long n) {
  k %= n;
  if (k < 0) k += n;
  // The angle is 2 pi k / n; fold it by quarters, then by halves of a quarter.
  const long long quarter = 4 * k / n, rest = 4 * k - quarter * n;  // rest / n of a quarter turn
  const bool mirrored = 2 * rest > n;
  const double turn = static_cast<double>(mirrored ? n - rest : rest) / static_cast<double>(n);
  const double angle = turn * 1.57079632679489661923;
  double cosine = 1, sine = angle, even = 1, odd = angle;
  for (int i = 1; i < 12; ++i) {
    even *= -angle * angle / ((2 * i - 1) * (2 * i));
    odd *= -angle * angle / ((2 * i) * (2 * i + 1));
    cosine += even;
    sine += odd;
  }
  if (2 * rest == n) cosine = sine = 0.70710678118654752440;
  const double c = mirrored ? sine : cosine, s = mirrored ? cosine : sine;  // of the folded quarter
  switch (quarter) {
    case 0:
      return {c, -s};
    case 1:
      return {-s, -c};
    case 2:
      return {-c, s};
    default:
      return {s, c};
  }
}

// Factors between the two steps of a transform of kFirst x kSecond points: [b][j][re, im] = root(b j).
template <int kFirst, int kSecond>
struct Twiddles {
  std::array<float, static_cast<std::size_t>(2 * kFirst * kSecond)> values{};

  constexpr Twiddles() {
    for (int b = 0; b < kSecond; ++b)
      for (int j = 0; j < kFirst; ++j) {
        const Root root = root_of_unity(b * j, kFirst * kSecond);
        values[static_cast<std::size_t>(2 * (b * kFirst + j))] = static_cast<float>(root.re);
        values[static_cast<std::size_t>(2 * (b * kFirst + j) + 1)] = static_cast<float>(root.im);
      }
  }
};

template <int kFirst, int kSecond>
inline constexpr Twiddles<kFirst, kSecond> kTwiddles{};

}  // namespace convoy::kernels::cpu
