#include "convoy/kernels/cpu/winograd_matrices.h"

#include <gtest/gtest.h>

namespace convoy::kernels::cpu {
namespace {

// The bilinear identity, coefficient by coefficient: sum over j of A^T[i][j] G[j][s] B^T[j][l] is 1 where
// l = i + s and 0 elsewhere.
template <int kOutputs, int kTaps>
constexpr bool is_correlation(const Matrix<kOutputs + kTaps - 1, kOutputs + kTaps - 1>& b) {
  using Matrices = WinogradMatrices<kOutputs, kTaps>;
  constexpr auto a = Matrices::output();
  constexpr auto g = Matrices::filter();
  for (int i = 0; i < kOutputs; ++i)
    for (int s = 0; s < kTaps; ++s)
      for (int l = 0; l < Matrices::kPoints; ++l) {
        Rational sum = 0;
        for (int j = 0; j < Matrices::kPoints; ++j)
          if (b(j, l) != Rational(0)) sum = sum + a(i, j) * g(j, s) * b(j, l);
        if (sum != Rational(l == i + s ? 1 : 0)) return false;
      }
  return true;
}

template <int kOutputs, int kTaps>
constexpr bool is_correlation() {
  return is_correlation<kOutputs, kTaps>(WinogradMatrices<kOutputs, kTaps>::input());
}

// Proved by the compiler, in exact rationals: every F(m, r) of the forward pass and its F(r, m).
static_assert(is_correlation<2, 3>() && is_correlation<3, 2>());
static_assert(is_correlation<4, 3>() && is_correlation<3, 4>());
static_assert(is_correlation<6, 3>() && is_correlation<3, 6>());
static_assert(is_correlation<7, 3>() && is_correlation<3, 7>());
static_assert(is_correlation<2, 5>() && is_correlation<5, 2>());

TEST(WinogradMatrices, CorrelateExactly) {
  EXPECT_TRUE((is_correlation<2, 3>()));
  EXPECT_TRUE((is_correlation<6, 4>()));
  EXPECT_TRUE((is_correlation<2, 2>()));
}

TEST(WinogradMatrices, AWrongCoefficientIsSeen) {
  for (int j = 0; j < 6; ++j)
    for (int l = 0; l < 6; ++l) {
      auto b = WinogradMatrices<4, 3>::input();
      b(j, l) = b(j, l) + Rational(1, 1'000'000);
      EXPECT_FALSE((is_correlation<4, 3>(b))) << j << ' ' << l;
    }
}

TEST(WinogradMatrices, PairsOfPointsShareEvenAndOddCoefficients) {
  const auto b = WinogradMatrices<6, 3>::input();
  for (int j = 1; j + 1 < 7; j += 2)
    for (int l = 0; l < 8; ++l) EXPECT_EQ(b(j, l).magnitude(), b(j + 1, l).magnitude()) << j << ' ' << l;
}

TEST(WinogradMatrices, RationalsAreInLowestTerms) {
  EXPECT_EQ(Rational(6, -4), Rational(-3, 2));
  EXPECT_EQ(Rational(1, 2) + Rational(1, 3), Rational(5, 6));
  EXPECT_EQ(Rational(1, 2) - Rational(1, 2), Rational(0));
  EXPECT_EQ(Rational(2, 3) / Rational(-4, 9), Rational(-3, 2));
}

// Known by hand: F(2, 3) has points 0, 1, -1 and infinity. i = 1: 2 (1/2 2) at +-1 and 2 at infinity.
TEST(WinogradMatrices, AmplificationGrowsWithTheTile) {
  EXPECT_DOUBLE_EQ((winograd_amplification<2, 3>()), 4);
  EXPECT_GT((winograd_amplification<4, 3>()), 5 * (winograd_amplification<2, 3>()));
  EXPECT_GT((winograd_amplification<6, 3>()), (winograd_amplification<4, 3>()));
}

}  // namespace
}  // namespace convoy::kernels::cpu
