// JSON values: a small tree that keeps the order of members.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace convoy::io {

// null, a boolean, a number (int64, uint64 beyond it, or double), a string, an array or an object. Numbers
// survive dump and parse exactly: doubles print as the shortest text that reads back to the same value.
// JSON has no NaN and no infinity; a double that is either becomes null on dump.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;  // in insertion order, names unique

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(double value) : value_(value) {}
  Json(float value) : value_(static_cast<double>(value)) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Json(T value) {
    if (std::in_range<std::int64_t>(value))
      value_ = static_cast<std::int64_t>(value);
    else
      value_ = static_cast<std::uint64_t>(value);
  }
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  static Json array() { return Json(Array{}); }
  static Json object() { return object(Object{}); }
  // An object of these members, whose names must differ.
  static Json object(Object members);

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int64() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_uint64() const;  // an integer that is not negative
  bool is_number() const;  // an integer or a double
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  // The value as that type; asking for one that it is not is a bug (see require_* for files).
  bool as_bool() const;
  std::int64_t as_int64() const;
  std::uint64_t as_uint64() const;
  double as_double() const;  // any number; an integer beyond 2^53 is rounded
  const std::string& as_string() const;
  const Array& as_array() const;
  const Object& as_object() const;

  // The member of that name, or null where there is none. Linear in the number of members.
  const Json* find(std::string_view name) const;
  // Sets a member of an object, replacing one of the same name, and gives the object back.
  Json& set(std::string name, Json value);
  // Adds an element to an array.
  void append(Json value);

  // As text: one line, or indented by `indent` > 0 spaces a level with a final newline. Bytes of a string
  // that are no UTF-8 become U+FFFD.
  std::string dump(int indent = 0) const;

  friend bool operator==(const Json&, const Json&) = default;

 private:
  struct Members {};
  Json(Members, Object value) : value_(std::move(value)) {}

  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> value_;
};

inline constexpr int kMaxJsonDepth = 64;

// Parses one JSON value. `file` names the text in messages, and positions count from `base_offset`. Throws
// InputError for bad syntax, bad UTF-8, a name that comes twice, nesting beyond kMaxJsonDepth and numbers
// beyond double or uint64.
Json parse_json(std::string_view text, const std::string& file, std::int64_t base_offset = 0);
Json read_json(const std::string& path);

// A member that a file must have, of the type asked for. Throws InputError naming file and member.
const Json& require_member(const Json& object, std::string_view name, const std::string& file);
bool require_bool(const Json& object, std::string_view name, const std::string& file);
std::int64_t require_int64(const Json& object, std::string_view name, const std::string& file);
std::uint64_t require_uint64(const Json& object, std::string_view name, const std::string& file);
double require_double(const Json& object, std::string_view name, const std::string& file);
const std::string& require_string(const Json& object, std::string_view name, const std::string& file);
const Json::Array& require_array(const Json& object, std::string_view name, const std::string& file);
const Json& require_object(const Json& object, std::string_view name, const std::string& file);

}  // namespace convoy::io
