// Our GEMM against a float64 product, on every instruction set that it serves.
#include "convoy/kernels/cpu/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "convoy/base/rng.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/tensor/view.h"

namespace convoy::kernels::cpu {
namespace {

constexpr float kUntouched = -77.0F;
constexpr double kEpsilon = 1.0 / (1 << 23);

struct Case {
  std::int64_t m = 1, n = 1, k = 1;
  bool a_transposed = false, b_transposed = false, accumulate = false, integers = false;
  int threads = 1;
  std::int64_t spare = 3;  // columns that belong to nobody behind each row
};

class Matrices {
 public:
  explicit Matrices(const Case& test) : test_(test), random_(11, base::Purpose::test, 3, 0) {
    const std::int64_t a_rows = test.a_transposed ? test.k : test.m,
                       b_rows = test.b_transposed ? test.n : test.k;
    gemm_ = {.m = test.m,
             .n = test.n,
             .k = test.k,
             .a_transposed = test.a_transposed,
             .b_transposed = test.b_transposed,
             .accumulate = test.accumulate};
    gemm_.a_stride = test.m + test.k - a_rows + test.spare;
    gemm_.b_stride = test.n + test.k - b_rows + test.spare;
    gemm_.c_stride = test.n + test.spare;
    a_ = draw(a_rows * gemm_.a_stride);
    b_ = draw(b_rows * gemm_.b_stride);
    c_ = draw(test.m * gemm_.c_stride);
    before_ = c_;
    for (std::int64_t i = 0; i < test.m; ++i)
      for (std::int64_t j = test.n; j < gemm_.c_stride; ++j) c(i, j) = kUntouched;
    gemm_.a = a_.data();
    gemm_.b = b_.data();
    gemm_.c = c_.data();
  }

  const Gemm& gemm() const { return gemm_; }

  void run() {
    base::set_thread_count(test_.threads);
    const tensor::Buffer workspace(gemm_workspace_bytes(gemm_));
    std::memset(workspace.data(), 0xA5, static_cast<std::size_t>(workspace.bytes()));
    cpu::gemm(gemm_, workspace.data());
    base::set_thread_count(1);
  }

  // Elements that are off by more than the bound; with integers, at all.
  std::int64_t wrong_elements() const {
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < test_.m; ++i) {
      for (std::int64_t j = 0; j < test_.n; ++j) wrong += !holds(i, j);
      for (std::int64_t j = test_.n; j < gemm_.c_stride; ++j) wrong += c_[at(i, j)] != kUntouched;
    }
    return wrong;
  }

  const std::vector<float>& result() const { return c_; }

 private:
  std::vector<float> draw(std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values)
      value = test_.integers ? static_cast<float>(random_.below(7)) - 3
                             : 2 * static_cast<float>(random_.uniform()) - 1;
    return values;
  }
  std::size_t at(std::int64_t i, std::int64_t j) const {
    return static_cast<std::size_t>(i * gemm_.c_stride + j);
  }
  float& c(std::int64_t i, std::int64_t j) { return c_[at(i, j)]; }

  bool holds(std::int64_t i, std::int64_t j) const {
    double sum = test_.accumulate ? static_cast<double>(before_[at(i, j)]) : 0, absolute = std::abs(sum);
    for (std::int64_t t = 0; t < test_.k; ++t) {
      const float a =
          a_[static_cast<std::size_t>(test_.a_transposed ? t * gemm_.a_stride + i : i * gemm_.a_stride + t)];
      const float b =
          b_[static_cast<std::size_t>(test_.b_transposed ? j * gemm_.b_stride + t : t * gemm_.b_stride + j)];
      const double product = static_cast<double>(a) * static_cast<double>(b);
      sum += product;
      absolute += std::abs(product);
    }
    const double bound = test_.integers ? 0 : (static_cast<double>(test_.k) + 2) / 2 * kEpsilon * absolute;
    return std::abs(static_cast<double>(c_[at(i, j)]) - sum) <= bound;
  }

  Case test_;
  base::RandomStream random_;
  Gemm gemm_;
  std::vector<float> a_, b_, c_, before_;
};

void expect_right(const Case& test) {
  Matrices matrices(test);
  matrices.run();
  EXPECT_EQ(matrices.wrong_elements(), 0)
      << test.m << 'x' << test.n << 'x' << test.k << " transposed " << test.a_transposed << test.b_transposed
      << " accumulate " << test.accumulate << " integers " << test.integers << " threads " << test.threads;
}

TEST(Gemm, AwkwardSizesInEveryOrientation) {
  on_each_instruction_set([] {
    for (const std::int64_t m : {1, 5, 14, 15, 29, 47, 49, 63})
      for (const std::int64_t n : {1, 7, 16, 31, 32, 33, 65})
        for (const std::int64_t k : {1, 3, 16, 17, 40})
          for (int bits = 0; bits < 16; ++bits)
            expect_right({.m = m,
                          .n = n,
                          .k = k,
                          .a_transposed = (bits & 1) != 0,
                          .b_transposed = (bits & 2) != 0,
                          .accumulate = (bits & 4) != 0,
                          .integers = (bits & 8) != 0});
  });
}

TEST(Gemm, SizesBeyondEveryBlockOnOneAndTwoThreads) {
  on_each_instruction_set([] {
    for (const int threads : {1, 2, 3})
      for (int bits = 0; bits < 4; ++bits) {
        expect_right({.m = 271,
                      .n = 50,
                      .k = 803,
                      .a_transposed = (bits & 1) != 0,
                      .b_transposed = (bits & 2) != 0,
                      .threads = threads});
        expect_right({.m = 52,
                      .n = 4131,
                      .k = 20,
                      .a_transposed = (bits & 1) != 0,
                      .b_transposed = (bits & 2) != 0,
                      .integers = true,
                      .threads = threads});
      }
  });
}

// Few rows: dot products over several chunks of steps, and rows of B read in place.
TEST(Gemm, FewRowsOverManySteps) {
  on_each_instruction_set([] {
    for (const bool b_transposed : {false, true})
      for (const std::int64_t m : {1, 8, 33}) {
        expect_right({.m = m, .n = 70, .k = 4103, .b_transposed = b_transposed, .threads = 2});
        expect_right(
            {.m = m, .n = 31, .k = 2065, .b_transposed = b_transposed, .accumulate = true, .integers = true});
      }
  });
}

TEST(Gemm, TheBitsDoNotDependOnTheThreads) {
  on_each_instruction_set([] {
    Matrices one({.m = 61, .n = 200, .k = 500}), three({.m = 61, .n = 200, .k = 500, .threads = 3});
    one.run();
    three.run();
    EXPECT_EQ(one.result(), three.result());
  });
}

TEST(Gemm, NoStepsGiveZeroOrLeaveTheSum) {
  on_each_instruction_set([] {
    expect_right({.m = 3, .n = 5, .k = 0});
    expect_right({.m = 3, .n = 5, .k = 0, .accumulate = true});
  });
}

// The checker itself: one element that is off by a unit in the last place of a sum of integers.
TEST(Gemm, ACheckOfOneElementFails) {
  on_each_instruction_set([] {
    Matrices matrices({.m = 20, .n = 40, .k = 30, .integers = true});
    matrices.run();
    ASSERT_EQ(matrices.wrong_elements(), 0);
    matrices.gemm().c[3 * matrices.gemm().c_stride + 7] += 1;
    EXPECT_EQ(matrices.wrong_elements(), 1);
  });
}

}  // namespace
}  // namespace convoy::kernels::cpu
