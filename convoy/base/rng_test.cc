#include "convoy/base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace convoy::base {
namespace {

// Known answers of the Random123 distribution (kat_vectors, philox4x32 10).
TEST(Philox, KnownAnswers) {
  using Counter = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, IsAFunctionOfItsIdentity) {
  RandomStream a(7, Purpose::test, 3, 4), b(7, Purpose::test, 3, 4);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(a.bits(), b.bits());
}

TEST(RandomStream, DifferentIdentitiesDiffer) {
  std::set<std::uint64_t> first;
  for (std::uint64_t seed = 0; seed < 4; ++seed)
    for (std::uint64_t a = 0; a < 8; ++a)
      for (std::uint64_t b = 0; b < 8; ++b) {
        first.insert(RandomStream(seed, Purpose::test, a, b).bits64());
        first.insert(RandomStream(seed, Purpose::dropout, a, b).bits64());
      }
  EXPECT_EQ(first.size(), 4u * 8 * 8 * 2);
}

TEST(RandomStream, UniformHasItsMoments) {
  RandomStream s(1, Purpose::test, 0, 0);
  constexpr int kDraws = 200000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = s.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
  }
  // Standard errors: sqrt(1/12/n) = 6.5e-4 and sqrt(4/45/n) = 6.7e-4; five of them.
  EXPECT_NEAR(sum / kDraws, 0.5, 3.3e-3);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 3.4e-3);
}

TEST(RandomStream, NormalHasItsMoments) {
  RandomStream s(1, Purpose::test, 0, 1);
  constexpr int kDraws = 200000;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double z = s.normal();
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
  }
  // Standard errors: 1/sqrt(n), sqrt(2/n), sqrt(96/n); five of them.
  EXPECT_NEAR(sum / kDraws, 0, 0.0112);
  EXPECT_NEAR(squares / kDraws, 1, 0.0159);
  EXPECT_NEAR(fourth / kDraws, 3, 0.11);
}

TEST(RandomStream, BelowIsUniform) {
  RandomStream s(1, Purpose::test, 0, 2);
  std::array<int, 7> count{};
  for (int i = 0; i < 70000; ++i) ++count[s.below(7)];
  double chi2 = 0;
  for (int c : count) chi2 += (c - 10000.0) * (c - 10000.0) / 10000.0;
  EXPECT_LT(chi2, 22.5);  // 6 degrees of freedom, p = 0.001
}

}  // namespace
}  // namespace convoy::base
