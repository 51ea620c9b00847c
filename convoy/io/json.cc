#include "convoy/io/json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <unordered_set>

#include "convoy/base/check.h"
#include "convoy/base/error.h"

namespace convoy::io {
namespace {

// Bytes of the UTF-8 sequence at `at`, or 0 if it is none (overlong, surrogate, beyond U+10FFFF, cut).
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const unsigned char second = byte(1);
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return 0;
  if ((lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return 0;
  return length;
}

void print_escaped(unsigned char byte, std::string& out) {
  constexpr char kDigits[] = "0123456789abcdef";
  switch (byte) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
  }
}

void print_string(std::string_view text, std::string& out) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const std::size_t length = utf8_length(text, at);
    if (length == 0)
      out += "\xef\xbf\xbd";
    else if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f)
      print_escaped(byte, out);
    else
      out += text.substr(at, length);
    at += length == 0 ? 1 : length;
  }
  out += '"';
}

void print_double(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  const std::string_view digits(text.data(), static_cast<std::size_t>(end - text.data()));
  out += digits;
  // Keeps the type: a double reads back as a double.
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

class Printer {
 public:
  Printer(int indent, std::string& out) : indent_(indent), out_(out) {}

  void print(const Json& json, int depth) {
    if (json.is_null())
      out_ += "null";
    else if (json.is_bool())
      out_ += json.as_bool() ? "true" : "false";
    else if (json.is_int64())
      out_ += std::to_string(json.as_int64());
    else if (json.is_uint64())
      out_ += std::to_string(json.as_uint64());
    else if (json.is_number())
      print_double(json.as_double(), out_);
    else if (json.is_string())
      print_string(json.as_string(), out_);
    else if (json.is_array())
      print_list(json.as_array(), "[]", depth, [&](const Json& item) { print(item, depth + 1); });
    else
      print_list(json.as_object(), "{}", depth, [&](const Json::Member& member) {
        print_string(member.first, out_);
        out_ += indent_ > 0 ? ": " : ":";
        print(member.second, depth + 1);
      });
  }

 private:
  template <class List, class PrintItem>
  void print_list(const List& list, const char* brackets, int depth, PrintItem&& print_item) {
    out_ += brackets[0];
    bool first = true;
    for (const auto& item : list) {
      if (!first) out_ += ',';
      first = false;
      break_line(depth + 1);
      print_item(item);
    }
    if (!list.empty()) break_line(depth);
    out_ += brackets[1];
  }

  void break_line(int depth) {
    if (indent_ <= 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_ * depth), ' ');
  }

  int indent_;
  std::string& out_;
};

[[noreturn]] void throw_wrong_type(const std::string& file, std::string_view name, const char* expected) {
  throw base::InputError(file, base::str("'", name, "' must be ", expected));
}

}  // namespace

Json Json::object(Object members) {
  std::unordered_set<std::string_view> names;
  for (const Member& member : members)
    CONVOY_CHECK(names.insert(member.first).second, "member '", member.first, "' twice in one object");
  return Json(Members{}, std::move(members));
}

bool Json::is_uint64() const {
  return std::holds_alternative<std::uint64_t>(value_) || (is_int64() && std::get<std::int64_t>(value_) >= 0);
}

bool Json::is_number() const {
  return is_int64() || std::holds_alternative<std::uint64_t>(value_) ||
         std::holds_alternative<double>(value_);
}

bool Json::as_bool() const {
  CONVOY_CHECK(is_bool(), "not a boolean: ", dump());
  return std::get<bool>(value_);
}

std::int64_t Json::as_int64() const {
  CONVOY_CHECK(is_int64(), "not an int64: ", dump());
  return std::get<std::int64_t>(value_);
}

std::uint64_t Json::as_uint64() const {
  CONVOY_CHECK(is_uint64(), "not a uint64: ", dump());
  if (is_int64()) return static_cast<std::uint64_t>(std::get<std::int64_t>(value_));
  return std::get<std::uint64_t>(value_);
}

double Json::as_double() const {
  CONVOY_CHECK(is_number(), "not a number: ", dump());
  if (is_int64()) return static_cast<double>(std::get<std::int64_t>(value_));
  if (const auto* value = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*value);
  return std::get<double>(value_);
}

const std::string& Json::as_string() const {
  CONVOY_CHECK(is_string(), "not a string: ", dump());
  return std::get<std::string>(value_);
}

const Json::Array& Json::as_array() const {
  CONVOY_CHECK(is_array(), "not an array: ", dump());
  return std::get<Array>(value_);
}

const Json::Object& Json::as_object() const {
  CONVOY_CHECK(is_object(), "not an object: ", dump());
  return std::get<Object>(value_);
}

const Json* Json::find(std::string_view name) const {
  for (const Member& member : as_object())
    if (member.first == name) return &member.second;
  return nullptr;
}

Json& Json::set(std::string name, Json value) {
  CONVOY_CHECK(is_object(), "member '", name, "' set on ", dump());
  for (Member& member : std::get<Object>(value_))
    if (member.first == name) {
      member.second = std::move(value);
      return *this;
    }
  std::get<Object>(value_).emplace_back(std::move(name), std::move(value));
  return *this;
}

void Json::append(Json value) {
  CONVOY_CHECK(is_array(), "element appended to ", dump());
  std::get<Array>(value_).push_back(std::move(value));
}

std::string Json::dump(int indent) const {
  std::string out;
  Printer(indent, out).print(*this, 0);
  if (indent > 0) out += '\n';
  return out;
}

const Json& require_member(const Json& object, std::string_view name, const std::string& file) {
  if (!object.is_object()) throw base::InputError(file, "a JSON object is expected");
  const Json* member = object.find(name);
  if (member == nullptr) throw base::InputError(file, base::str("'", name, "' is missing"));
  return *member;
}

bool require_bool(const Json& object, std::string_view name, const std::string& file) {
  const Json& member = require_member(object, name, file);
  if (!member.is_bool()) throw_wrong_type(file, name, "true or false");
  return member.as_bool();
}

std::int64_t require_int64(const Json& object, std::string_view name, const std::string& file) {
  const Json& member = require_member(object, name, file);
  if (!member.is_int64()) throw_wrong_type(file, name, "an integer");
  return member.as_int64();
}

std::uint64_t require_uint64(const Json& object, std::string_view name, const std::string& file) {
  const Json& member = require_member(object, name, file);
  if (!member.is_uint64()) throw_wrong_type(file, name, "an integer that is not negative");
  return member.as_uint64();
}

double require_double(const Json& object, std::string_view name, const std::string& file) {
  const Json& member = require_member(object, name, file);
  if (!member.is_number()) throw_wrong_type(file, name, "a number");
  return member.as_double();
}

const std::string& require_string(const Json& object, std::string_view name, const std::string& file) {
  const Json& member = require_member(object, name, file);
  if (!member.is_string()) throw_wrong_type(file, name, "a string");
  return member.as_string();
}

const Json::Array& require_array(const Json& object, std::string_view name, const std::string& file) {
  const Json& member = require_member(object, name, file);
  if (!member.is_array()) throw_wrong_type(file, name, "an array");
  return member.as_array();
}

const Json& require_object(const Json& object, std::string_view name, const std::string& file) {
  const Json& member = require_member(object, name, file);
  if (!member.is_object()) throw_wrong_type(file, name, "an object");
  return member;
}

}  // namespace convoy::io
