#include "convoy/onnx/file_model.h"

#include <array>
#include <charconv>
#include <utility>

#include "convoy/base/check.h"

namespace convoy::onnx {

std::string name(ElementType type) {
  switch (type) {
    case ElementType::undefined:
      return "no tensor";
    case ElementType::f32:
      return "float32";
    case ElementType::i32:
      return "int32";
    case ElementType::i64:
      return "int64";
    case ElementType::text:
      return "string";
    case ElementType::boolean:
      return "bool";
    case ElementType::f64:
      return "float64";
  }
  constexpr std::string_view kOthers[] = {"uint8", "int8", "uint16", "int16"};  // 2 to 5
  const auto number = static_cast<std::int32_t>(type);
  if (number >= 2 && number <= 5) return std::string(kOthers[number - 2]);
  if (number == 10) return "float16";
  if (number == 16) return "bfloat16";
  return base::str("type ", number);
}

std::string in_quotes(std::string_view name) {
  constexpr std::size_t kLongest = 100;
  std::string text = "'";
  for (const char c : name.substr(0, kLongest)) text += c < ' ' || c == 127 ? '?' : c;
  return text + (name.size() > kLongest ? "...'" : "'");
}

double widened(float value) {
  std::array<char, 64> text{};
  const char* end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double wide = 0;
  std::from_chars(text.data(), end, wide);
  return wide;
}

std::int64_t FileTensor::count() const {
  return reals != nullptr ? reals->shape().count() : static_cast<std::int64_t>(integers.size());
}

FileTensor make_reals(std::string name, std::vector<std::int64_t> dims, SharedTensor values) {
  FileTensor tensor{.name = std::move(name), .type = ElementType::f32, .dims = std::move(dims)};
  tensor.reals = std::move(values);
  return tensor;
}

FileTensor make_integers(std::string name, std::vector<std::int64_t> values) {
  FileTensor tensor{.name = std::move(name), .type = ElementType::i64};
  tensor.dims = {static_cast<std::int64_t>(values.size())};
  tensor.integers = std::move(values);
  return tensor;
}

}  // namespace convoy::onnx
