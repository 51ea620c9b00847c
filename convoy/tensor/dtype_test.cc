#include "convoy/tensor/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace convoy::tensor {
namespace {

// Every one of the 65,536 values is its own round trip, and halfway points go to even.
TEST(Float16, AllValuesRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = to_f32(Float16{static_cast<std::uint16_t>(bits)});
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(to_f32(to_f16(value))));
    } else {
      ASSERT_EQ(to_f16(value).bits, bits) << value;
    }
  }
}

TEST(Float16, TiesGoToEvenAndNeighboursToNearest) {
  for (std::uint32_t bits = 0; bits < 0x7bff; ++bits) {  // up to the largest finite value
    const float low = to_f32(Float16{static_cast<std::uint16_t>(bits)});
    const float high = to_f32(Float16{static_cast<std::uint16_t>(bits + 1)});
    const float middle = (low + high) / 2;  // exact in float32
    ASSERT_EQ(to_f16(middle).bits, bits + (bits & 1)) << middle;
    ASSERT_EQ(to_f16(std::nextafter(middle, 0.f)).bits, bits);
    ASSERT_EQ(to_f16(std::nextafter(middle, 1e9f)).bits, bits + 1);
  }
  EXPECT_EQ(to_f16(65519.f).bits, 0x7bff);
  EXPECT_EQ(to_f16(65520.f).bits, 0x7c00);
  EXPECT_EQ(to_f16(-1e30f).bits, 0xfc00);
}

TEST(BFloat16, AllValuesRoundTripAndTiesGoToEven) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = to_f32(BFloat16{static_cast<std::uint16_t>(bits)});
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(to_f32(to_bf16(value))));
      continue;
    }
    ASSERT_EQ(to_bf16(value).bits, bits);
    const auto exact = std::bit_cast<std::uint32_t>(value);
    const float middle = std::bit_cast<float>(exact | 0x8000u);
    if ((bits & 0x7f80) != 0x7f80) {
      ASSERT_EQ(to_bf16(middle).bits, bits + (bits & 1));
    }
  }
}

TEST(DType, NamesParseBack) {
  for (const DType type :
       {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64, DType::i32, DType::u8})
    EXPECT_EQ(parse_dtype(name(type)), type);
  EXPECT_EQ(parse_dtype("f8"), std::nullopt);
}

}  // namespace
}  // namespace convoy::tensor
