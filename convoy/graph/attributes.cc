#include "convoy/graph/attributes.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "convoy/base/check.h"

namespace convoy::graph {
namespace {

constexpr std::string_view kTypeNames[] = {"an integer", "a real", "a text", "a list of integers"};

std::string_view type_name(const AttributeValue& value) { return kTypeNames[value.index()]; }

template <class T>
const T& typed(const AttributeValue& value, std::string_view name) {
  const T* found = std::get_if<T>(&value);
  CONVOY_CHECK(found != nullptr, "attribute ", name, " is ", type_name(value));
  return *found;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + '"';
}

// A real always shows that it is one, so that parse gives the type back.
std::string real_text(double value) {
  std::string text = fmt::format("{:.17g}", value);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string value_text(const AttributeValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) return real_text(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  std::string list = "[";
  for (const std::int64_t item : std::get<std::vector<std::int64_t>>(value))
    list += (list.size() > 1 ? "," : "") + std::to_string(item);
  return list + "]";
}

// A recursive-descent reader of Attributes::str's grammar. Every take_* returns false at the first
// mistake, which then stays in `problem`.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  base::Result<Attributes> read() {
    Attributes attributes;
    if (!read_all(attributes))
      return base::Reason{
          base::str("attributes \"", text_, "\": ", problem_, " at character ", position_ + 1)};
    return attributes;
  }

 private:
  bool read_all(Attributes& attributes) {
    if (!take('{')) return fail("expected '{'");
    while (!take('}')) {
      if (!attributes.values().empty() && !take(',')) return fail("expected ',' or '}'");
      if (!read_pair(attributes)) return false;
    }
    skip_blanks();
    return position_ == text_.size() || fail("unexpected text after '}'");
  }

  bool read_pair(Attributes& attributes) {
    skip_blanks();
    const std::size_t begin = position_;
    while (position_ < text_.size() && is_name_character(text_[position_])) ++position_;
    std::string name(text_.substr(begin, position_ - begin));
    if (name.empty()) return fail("expected a name");
    if (attributes.has(name)) return fail("\"" + name + "\" is given twice");
    if (!take('=')) return fail("expected '='");
    AttributeValue value;
    if (!read_value(value)) return false;
    attributes.set(std::move(name), std::move(value));
    return true;
  }

  bool read_value(AttributeValue& value) {
    if (take('"')) return read_text(value.emplace<std::string>());
    if (take('[')) return read_list(value.emplace<std::vector<std::int64_t>>());
    const std::string_view token = number_token();
    if (token.find_first_of(".enEN") == std::string_view::npos) return read_integer(token, value);
    const auto [end, error] =
        std::from_chars(token.data(), token.data() + token.size(), value.emplace<double>());
    if (error != std::errc() || end != token.data() + token.size()) return fail("not a number");
    position_ += token.size();
    return true;
  }

  template <class Value>
  bool read_integer(std::string_view token, Value& value) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
    if (token.empty() || error != std::errc() || end != token.data() + token.size())
      return fail("not a number");
    value = number;
    position_ += token.size();
    return true;
  }

  bool read_text(std::string& out) {
    while (position_ < text_.size() && text_[position_] != '"') {
      if (text_[position_] == '\\') {
        if (++position_ == text_.size()) break;
        out += text_[position_] == 'n' ? '\n' : text_[position_];
      } else {
        out += text_[position_];
      }
      ++position_;
    }
    if (position_ == text_.size()) return fail("unfinished text");
    ++position_;
    return true;
  }

  bool read_list(std::vector<std::int64_t>& out) {
    while (!take(']')) {
      if (!out.empty() && !take(',')) return fail("expected ',' or ']'");
      if (!read_integer(number_token(), out.emplace_back())) return false;
    }
    return true;
  }

  std::string_view number_token() {
    skip_blanks();
    std::size_t end = position_;
    while (end < text_.size() &&
           (is_name_character(text_[end]) || text_[end] == '-' || text_[end] == '+' || text_[end] == '.'))
      ++end;
    return text_.substr(position_, end - position_);
  }

  static bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  void skip_blanks() {
    while (position_ < text_.size() && text_[position_] == ' ') ++position_;
  }
  bool take(char c) {
    skip_blanks();
    if (position_ == text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  std::string_view text_;
  std::size_t position_ = 0;
  std::string problem_;
};

std::string known_names(std::span<const AttributeSpec> specs) {
  std::string names;
  for (const AttributeSpec& spec : specs) {
    names += names.empty() ? "" : ", ";
    names += spec.name;
  }
  return names.empty() ? "this operator has none" : "known are " + names;
}

}  // namespace

std::int64_t Attributes::integer(std::string_view name) const { return typed<std::int64_t>(at(name), name); }
double Attributes::real(std::string_view name) const { return typed<double>(at(name), name); }
const std::string& Attributes::text(std::string_view name) const {
  return typed<std::string>(at(name), name);
}
const std::vector<std::int64_t>& Attributes::integers(std::string_view name) const {
  return typed<std::vector<std::int64_t>>(at(name), name);
}

const AttributeValue& Attributes::at(std::string_view name) const {
  const auto found = values_.find(name);
  CONVOY_CHECK(found != values_.end(), "no attribute ", name, " in ", str());
  return found->second;
}

std::string Attributes::str() const {
  std::string text = "{";
  for (const auto& [name, value] : values_)
    text += (text.size() > 1 ? ", " : "") + name + "=" + value_text(value);
  return text + "}";
}

base::Result<Attributes> Attributes::parse(std::string_view text) { return Reader(text).read(); }

base::Result<Attributes> complete(const Attributes& given, std::span<const AttributeSpec> specs) {
  Attributes completed;
  for (const AttributeSpec& spec : specs) {
    const auto found = given.values().find(spec.name);
    if (found == given.values().end()) {
      if (spec.required) return base::Reason{base::str("attribute ", spec.name, " is required")};
      completed.set(std::string(spec.name), spec.default_value);
      continue;
    }
    AttributeValue value = found->second;
    const auto* integer = std::get_if<std::int64_t>(&value);
    if (integer != nullptr && std::holds_alternative<double>(spec.default_value))
      value = static_cast<double>(*integer);
    if (value.index() != spec.default_value.index())
      return base::Reason{base::str("attribute ", spec.name, " must be ", type_name(spec.default_value),
                                    ", not ", type_name(value))};
    completed.set(std::string(spec.name), std::move(value));
  }
  for (const auto& [name, value] : given.values())
    if (!completed.has(name))
      return base::Reason{base::str("unknown attribute ", name, "; ", known_names(specs))};
  return completed;
}

}  // namespace convoy::graph
