#include "convoy/io/toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/file.h"

namespace convoy::io {
namespace {

// Each dot of a key nests one table deeper and the library frees tables by recursion; the length of a line
// bounds that.
constexpr std::size_t kMaxLine_bytes = 4096;
constexpr std::int64_t kMaxConfig_bytes = 1 << 20;

[[noreturn]] void refuse(const std::string& file, const toml::source_position& at,
                         const std::string& problem) {
  throw base::UsageError(base::str(file, ":", at.line, ":", at.column, ": ", problem));
}

void check_lines(std::string_view text, const std::string& file) {
  std::size_t line = 1;
  for (std::size_t begin = 0; begin < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end - begin > kMaxLine_bytes)
      throw base::UsageError(base::str(file, ":", line, ":1: line longer than ", kMaxLine_bytes, " bytes"));
    begin = end + 1;
  }
}

class Flattener {
 public:
  explicit Flattener(const std::string& file) : file_(file) {}

  void visit(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const std::string_view name = key.str();
      if (name.empty() || name.find('.') != std::string_view::npos)
        refuse(file_, key.source().begin, base::str("the name \"", name, "\" is empty or holds a dot"));
      const std::string full = prefix.empty() ? std::string(name) : prefix + "." + std::string(name);
      if (const toml::table* inner = node.as_table())
        visit(*inner, full);
      else
        entries.push_back({full, value_of(node, full), key.source().begin.line, key.source().begin.column});
    }
  }

  std::vector<ConfigEntry> entries;

 private:
  ConfigValue value_of(const toml::node& node, const std::string& key) const {
    if (const auto* value = node.as_boolean()) return value->get();
    if (const auto* value = node.as_integer()) return value->get();
    if (const auto* value = node.as_floating_point()) return value->get();
    if (const auto* value = node.as_string()) return value->get();
    const toml::array* array = node.as_array();
    if (array == nullptr)
      refuse(file_, node.source().begin,
             base::str("'", key, "' must be a boolean, number, string or array of strings"));
    std::vector<std::string> items;
    for (const toml::node& item : *array) {
      const auto* text = item.as_string();
      if (text == nullptr)
        refuse(file_, item.source().begin, base::str("the elements of '", key, "' must be strings"));
      items.push_back(text->get());
    }
    return items;
  }

  const std::string& file_;
};

std::string quoted(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string bare_or_quoted(std::string_view name) {
  const auto is_bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), is_bare) ? std::string(name) : quoted(name);
}

std::string printed(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  std::string out(text.data(), end);
  return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
}

std::string printed(const ConfigValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return printed(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  std::string out = "[";
  for (const std::string& item : std::get<std::vector<std::string>>(value))
    out += (out.size() > 1 ? ",\n  " : "\n  ") + quoted(item);  // one a line: lines are limited on reading
  return out + "\n]";
}

// "a.b" of "a.b.key"; "" of "key".
std::string section_of(const std::string& key) {
  const std::size_t dot = key.rfind('.');
  return dot == std::string::npos ? "" : key.substr(0, dot);
}

std::string printed_section(const std::string& section) {
  std::string out;
  for (std::size_t begin = 0; begin <= section.size();) {
    const std::size_t end = std::min(section.find('.', begin), section.size());
    out += (out.empty() ? "" : ".") + bare_or_quoted(section.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

}  // namespace

const ConfigEntry* Config::find(std::string_view key) const {
  const auto it =
      std::find_if(entries.begin(), entries.end(), [key](const ConfigEntry& e) { return e.key == key; });
  return it == entries.end() ? nullptr : &*it;
}

std::string Config::place(const ConfigEntry& entry) const {
  return entry.line == 0 ? file : base::str(file, ":", entry.line, ":", entry.column);
}

Config parse_toml(std::string_view text, const std::string& file) {
  check_lines(text, file);
  try {
    const toml::table root = toml::parse(text, file);
    Flattener flattener(file);
    flattener.visit(root, "");
    std::stable_sort(flattener.entries.begin(), flattener.entries.end(),
                     [](const ConfigEntry& a, const ConfigEntry& b) {
                       return std::pair(a.line, a.column) < std::pair(b.line, b.column);
                     });
    return {file, std::move(flattener.entries)};
  } catch (const toml::parse_error& error) {
    std::string problem(error.description());
    std::replace_if(
        problem.begin(), problem.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    refuse(file, error.source().begin, problem);
  }
}

Config read_toml(const std::string& path) { return parse_toml(read_file(path, kMaxConfig_bytes), path); }

std::string print_toml(const Config& config) {
  std::vector<std::string> sections{""};
  for (const ConfigEntry& entry : config.entries)
    if (std::find(sections.begin(), sections.end(), section_of(entry.key)) == sections.end())
      sections.push_back(section_of(entry.key));
  std::string out;
  for (const std::string& section : sections) {
    if (!section.empty()) out += (out.empty() ? "[" : "\n[") + printed_section(section) + "]\n";
    for (const ConfigEntry& entry : config.entries) {
      if (section_of(entry.key) != section) continue;
      const std::string name = section.empty() ? entry.key : entry.key.substr(section.size() + 1);
      out += bare_or_quoted(name) + " = " + printed(entry.value) + "\n";
    }
  }
  return out;
}

}  // namespace convoy::io
