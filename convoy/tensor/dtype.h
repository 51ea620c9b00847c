// Element types.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace convoy::tensor {

enum class DType : std::uint8_t { f64, f32, f16, bf16, i64, i32, u8 };

std::int64_t size_bytes(DType type);
std::string_view name(DType type);  // "f64" … "u8"
std::optional<DType> parse_dtype(std::string_view name);

// bfloat16: the upper half of a float32. Conversion rounds to nearest, ties to even; NaN stays NaN.
struct BFloat16 {
  std::uint16_t bits = 0;
};
BFloat16 to_bf16(float value);
inline float to_f32(BFloat16 value) { return std::bit_cast<float>(std::uint32_t{value.bits} << 16); }

// IEEE 754 binary16. Conversion rounds to nearest, ties to even; overflow becomes infinity.
struct Float16 {
  std::uint16_t bits = 0;
};
Float16 to_f16(float value);
float to_f32(Float16 value);

template <class T>
struct dtype_of;
template <>
struct dtype_of<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct dtype_of<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct dtype_of<Float16> {
  static constexpr DType value = DType::f16;
};
template <>
struct dtype_of<BFloat16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct dtype_of<std::int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct dtype_of<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct dtype_of<std::uint8_t> {
  static constexpr DType value = DType::u8;
};

}  // namespace convoy::tensor
