// The matrices of Winograd's minimal filtering F(m, r), made at compile time in exact rationals.
#pragma once

#include <array>
#include <cstdint>

namespace convoy::kernels::cpu {

// A fraction in lowest terms with a positive denominator. Exact; overflow is a compile-time error.
struct Rational {
  std::int64_t numerator = 0;
  std::int64_t denominator = 1;

  constexpr Rational() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): integers are rationals
  constexpr Rational(std::int64_t n, std::int64_t d = 1) {
    std::int64_t divisor = d, rest = n;
    while (rest != 0) {  // Euclid; std::gcd subtracts, which compilers' limits of constexpr steps do not bear
      const std::int64_t next = divisor % rest;
      divisor = rest;
      rest = next;
    }
    if ((divisor < 0) != (d < 0)) divisor = -divisor;
    numerator = n / divisor;
    denominator = d / divisor;
  }
  friend constexpr bool operator==(const Rational&, const Rational&) = default;
  friend constexpr Rational operator*(Rational a, Rational b) {
    return {a.numerator * b.numerator, a.denominator * b.denominator};
  }
  friend constexpr Rational operator/(Rational a, Rational b) {
    return {a.numerator * b.denominator, a.denominator * b.numerator};
  }
  friend constexpr Rational operator+(Rational a, Rational b) {
    return {a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator};
  }
  friend constexpr Rational operator-(Rational a, Rational b) { return a + Rational(-1) * b; }
  constexpr Rational magnitude() const { return {numerator < 0 ? -numerator : numerator, denominator}; }
  constexpr double value() const { return static_cast<double>(numerator) / static_cast<double>(denominator); }
};

// kRows x kColumns, row by row.
template <int kRows, int kColumns>
struct Matrix {
  static constexpr int kRowCount = kRows;
  static constexpr int kColumnCount = kColumns;
  std::array<std::array<Rational, kColumns>, kRows> rows{};

  constexpr Rational operator()(int i, int j) const {
    return rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
  }
  constexpr Rational& operator()(int i, int j) {
    return rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
  }
};

// The index-th of `count` finite interpolation points. An odd count: 0, 1, -1, 2, -2, 1/2, -1/2, small
// numerators and denominators first (Barabasz et al., Error analysis and improving the accuracy of Winograd
// convolution, 2020). An even one has no 0, so that all points but infinity come in pairs +-a, whose
// transforms share their work: 1, -1, 5/8, -5/8, 5/2, -5/2, 1/4, -1/4, of all sets of 1 and three other
// magnitudes between 1/4 and 3 with binary fractions the one with the smallest error of F(7, 3) and F(3, 7).
// 1, 2, 1/2, 1/4 err twice as much.
constexpr bool has_zero_point(int count) { return count % 2 == 1; }
constexpr Rational winograd_point(int index, int count) {
  constexpr Rational kMagnitudes[2][4] = {{{1}, {5, 8}, {5, 2}, {1, 4}}, {{1}, {2}, {1, 2}, {4}}};
  const int zero = has_zero_point(count) ? 1 : 0;
  if (index < zero) return 0;
  const Rational magnitude = kMagnitudes[zero][(index - zero) / 2];
  return (index - zero) % 2 == 0 ? magnitude : Rational(-1) * magnitude;
}

constexpr Rational power(Rational base, int exponent) {
  Rational result = 1;
  for (int i = 0; i < exponent; ++i) result = result * base;
  return result;
}

// Correlation of alpha = m + r - 1 inputs d with r filter taps g by alpha multiplications:
//   y[i] = sum over s of d[i + s] g[s] = A^T ((G g) * (B^T d)),  i < m, * element by element,
// by transposition of Toom and Cook's multiplication of polynomials of degrees m - 1 and r - 1, evaluated at
// alpha - 1 finite points a[j] and at infinity (index alpha - 1). With M(x) the product of all x - a[j],
//   A^T[i][j] = a[j]^i,                      1 in the last row at infinity;
//   G[j][s] = a[j]^s / M'(a[j]),             1 in the last column at infinity;
//   B^T[j] = coefficients of M(x) / (x - a[j]), lowest first; of M(x) at infinity.
// B^T is that of F(r, m) as well. Sources: Winograd 1980; Lavin and Gray 2016, section 4.1.
template <int kOutputs, int kTaps>
struct WinogradMatrices {
  static constexpr int kPoints = kOutputs + kTaps - 1;
  static constexpr Rational point(int j) { return winograd_point(j, kPoints - 1); }

  static constexpr Matrix<kOutputs, kPoints> output() {
    Matrix<kOutputs, kPoints> a;
    for (int i = 0; i < kOutputs; ++i)
      for (int j = 0; j < kPoints - 1; ++j) a(i, j) = power(point(j), i);
    a(kOutputs - 1, kPoints - 1) = 1;
    return a;
  }

  static constexpr Matrix<kPoints, kTaps> filter() {
    Matrix<kPoints, kTaps> g;
    for (int j = 0; j < kPoints - 1; ++j) {
      Rational slope = 1;
      for (int l = 0; l < kPoints - 1; ++l)
        if (l != j) slope = slope * (point(j) - point(l));
      for (int s = 0; s < kTaps; ++s) g(j, s) = power(point(j), s) / slope;
    }
    g(kPoints - 1, kTaps - 1) = 1;
    return g;
  }

  static constexpr Matrix<kPoints, kPoints> input() {
    Matrix<kPoints, kPoints> b;
    for (int j = 0; j < kPoints; ++j) {
      b(j, 0) = 1;
      int degree = 0;
      for (int l = 0; l < kPoints - 1; ++l) {
        if (l == j) continue;
        ++degree;
        for (int i = degree; i >= 0; --i) b(j, i) = (i > 0 ? b(j, i - 1) : Rational(0)) - point(l) * b(j, i);
      }
    }
    return b;
  }
};

// Bound on how much one dimension of the algorithm magnifies rounding errors, relative to
// max |d| sum |g|: the largest over i of sum over j of |A^T[i][j]| max over s of |G[j][s]| sum over l of
// |B^T[j][l]|. Scaling a point's rows does not change it. docs/numerics.md, "Winograd".
template <int kOutputs, int kTaps>
constexpr double winograd_amplification() {
  using Matrices = WinogradMatrices<kOutputs, kTaps>;
  constexpr auto a = Matrices::output();
  constexpr auto g = Matrices::filter();
  constexpr auto b = Matrices::input();
  double largest = 0;
  for (int i = 0; i < kOutputs; ++i) {
    double sum = 0;
    for (int j = 0; j < Matrices::kPoints; ++j) {
      double tap = 0, inputs = 0;
      for (int s = 0; s < kTaps; ++s)
        tap = g(j, s).magnitude().value() > tap ? g(j, s).magnitude().value() : tap;
      for (int l = 0; l < Matrices::kPoints; ++l) inputs += b(j, l).magnitude().value();
      sum += a(i, j).magnitude().value() * tap * inputs;
    }
    largest = sum > largest ? sum : largest;
  }
  return largest;
}

}  // namespace convoy::kernels::cpu
