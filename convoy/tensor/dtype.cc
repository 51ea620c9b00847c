#include "convoy/tensor/dtype.h"

#include <array>

#include "convoy/base/check.h"

namespace convoy::tensor {
namespace {

struct Row {
  DType type;
  std::string_view name;
  std::int64_t bytes;
};
constexpr std::array<Row, 7> kTypes{{{DType::f64, "f64", 8},
                                     {DType::f32, "f32", 4},
                                     {DType::f16, "f16", 2},
                                     {DType::bf16, "bf16", 2},
                                     {DType::i64, "i64", 8},
                                     {DType::i32, "i32", 4},
                                     {DType::u8, "u8", 1}}};

const Row& row(DType type) {
  const auto index = static_cast<std::size_t>(type);
  CONVOY_CHECK(index < kTypes.size() && kTypes[index].type == type);
  return kTypes[index];
}

}  // namespace

std::int64_t size_bytes(DType type) { return row(type).bytes; }
std::string_view name(DType type) { return row(type).name; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (const Row& r : kTypes)
    if (r.name == name) return r.type;
  return std::nullopt;
}

BFloat16 to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u)  // NaN: keep it quiet, never round it to infinity
    return {static_cast<std::uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

Float16 to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {static_cast<std::uint16_t>(sign | 0x7e00u)};
  if (magnitude >= 0x477ff000u) return {static_cast<std::uint16_t>(sign | 0x7c00u)};  // rounds to >= 2^16
  if (magnitude < 0x38800000u) {  // below 2^-14: a subnormal, in units of 2^-24
    const float scaled = std::bit_cast<float>(magnitude) * 0x1p24f;  // exact
    auto units = static_cast<std::uint32_t>(scaled);
    const float rest = scaled - static_cast<float>(units);
    if (rest > 0.5f || (rest == 0.5f && (units & 1u))) ++units;
    return {static_cast<std::uint16_t>(sign | units)};
  }
  const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return {static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13))};
}

float to_f32(Float16 value) {
  const std::uint32_t sign = std::uint32_t{value.bits & 0x8000u} << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 0x1fu, mantissa = value.bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

}  // namespace convoy::tensor
