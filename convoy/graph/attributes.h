// Named settings of a layer, with ONNX's names, types and defaults.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "convoy/base/result.h"

namespace convoy::graph {

using AttributeValue = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>>;

// What one attribute is called, its type (that of the default) and its default.
struct AttributeSpec {
  std::string_view name;
  AttributeValue default_value;
  bool required = false;
};

// An ordered map from name to value. Reading an absent name or the wrong type is a bug: `complete` has
// checked both.
class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<const std::string, AttributeValue>> values) : values_(values) {}

  std::int64_t integer(std::string_view name) const;
  double real(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  const std::vector<std::int64_t>& integers(std::string_view name) const;

  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
  void set(std::string name, AttributeValue value) { values_[std::move(name)] = std::move(value); }
  const auto& values() const { return values_; }

  // "{group=1, kernel_shape=[5,5], mode=\"x\"}", names ascending, reals with 17 digits. parse reads it back.
  std::string str() const;
  static base::Result<Attributes> parse(std::string_view text);

  friend bool operator==(const Attributes&, const Attributes&) = default;

 private:
  const AttributeValue& at(std::string_view name) const;

  std::map<std::string, AttributeValue, std::less<>> values_;
};

// Fills in the defaults of `specs`. Refuses unknown names, wrong types (an integer is accepted where a real
// is wanted) and absent required ones, naming the attribute and the known ones.
base::Result<Attributes> complete(const Attributes& given, std::span<const AttributeSpec> specs);

}  // namespace convoy::graph
