#include "convoy/run/config.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/toml.h"
#include "convoy/run/nearest.h"

namespace convoy::run {
namespace {

std::string toml_key(const Setting& setting) { return base::str(setting.section, ".", setting.name); }

std::string flag_name(std::string_view name) {
  std::string flag = base::str("--", name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string environment_name(std::string_view name) {
  std::string variable = base::str("CONVOY_", name);
  std::transform(variable.begin(), variable.end(), variable.begin(),
                 [](unsigned char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return variable;
}

// Applies one text; `place` says in a message where it stands.
void apply(const Setting& setting, std::string_view text, Origin origin, const std::string& place,
           ResolvedConfig& resolved) {
  if (const base::Verdict verdict = setting.set(resolved.config, text); !verdict)
    throw base::UsageError(base::str(place, " ", verdict.reason().text));
  resolved.origins.insert_or_assign(std::string(setting.name), origin);
}

std::string shortest(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

// The value as the text that Setting::set reads, or a refusal because a value of this type cannot be meant.
base::Result<std::string> as_text(const io::ConfigValue& value, ValueType wanted) {
  const auto* integer = std::get_if<std::int64_t>(&value);
  switch (wanted) {
    case ValueType::boolean:
      if (const auto* flag = std::get_if<bool>(&value)) return std::string(*flag ? "true" : "false");
      return base::Reason{"must be true or false"};
    case ValueType::integer:
      if (integer != nullptr) return std::to_string(*integer);
      return base::Reason{"must be a whole number"};
    case ValueType::real:
      if (integer != nullptr) return std::to_string(*integer);
      if (const auto* real = std::get_if<double>(&value)) return shortest(*real);
      return base::Reason{"must be a number"};
    case ValueType::size:
      if (integer != nullptr) return std::to_string(*integer);
      if (const auto* text = std::get_if<std::string>(&value)) return *text;
      return base::Reason{"must be a whole number, or a text such as \"16M\""};
    case ValueType::text:
      break;
  }
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  if (list == nullptr) return base::Reason{"must be a text in quotes"};
  std::string joined;
  for (const std::string& item : *list) joined += (joined.empty() ? "" : ",") + item;
  return joined;
}

// What an unknown key should have been: the same name in its right section, or a similar key.
std::string advice_for_key(const std::string& key) {
  const std::string name = key.substr(key.rfind('.') + 1);
  if (const Setting* setting = find_setting(name))
    return base::str("; '", name, "' belongs in section [", setting->section, "]");
  std::vector<std::string_view> names, sections;
  for (const Setting& setting : settings()) {
    names.push_back(setting.name);
    sections.push_back(setting.section);
  }
  const std::string found = nearest(name, names);
  if (!found.empty()) return base::str("; did you mean '", toml_key(*find_setting(found)), "'?");
  const std::string section = key.substr(0, key.find('.'));
  if (std::find(sections.begin(), sections.end(), section) == sections.end())
    return suggestion(section, sections);
  return {};
}

ResolvedConfig defaults() {
  ResolvedConfig resolved;
  for (const Setting& setting : settings())
    resolved.origins.emplace(std::string(setting.name), Origin::standard);
  return resolved;
}

void apply_file(const io::Config& file, ResolvedConfig& resolved) {
  for (const io::ConfigEntry& entry : file.entries) {
    const Setting* setting = find_setting(entry.key.substr(entry.key.rfind('.') + 1));
    if (setting == nullptr || toml_key(*setting) != entry.key)
      throw base::UsageError(
          base::str(file.place(entry), ": unknown key '", entry.key, "'", advice_for_key(entry.key)));
    const std::string place = base::str(file.place(entry), ": '", entry.key, "'");
    const base::Result<std::string> text = as_text(entry.value, setting->type);
    if (!text) throw base::UsageError(base::str(place, " ", text.reason().text));
    apply(*setting, *text, Origin::file, place, resolved);
  }
}

void apply_flags(const std::map<std::string, std::string>& flags, ResolvedConfig& resolved) {
  for (const auto& [name, text] : flags) {
    const Setting* setting = find_setting(name);
    if (setting == nullptr) {
      std::vector<std::string_view> names;
      for (const Setting& known : settings()) names.push_back(known.name);
      const std::string found = nearest(name, names);
      throw base::UsageError(base::str("unknown setting '", flag_name(name), "'",
                                       found.empty() ? "" : "; did you mean '" + flag_name(found) + "'?"));
    }
    apply(*setting, text, Origin::flag, flag_name(name), resolved);
  }
}

}  // namespace

std::string_view name(Origin origin) {
  constexpr std::string_view kNames[] = {"default", "file", "environment", "flag"};
  return kNames[static_cast<std::size_t>(origin)];
}

ResolvedConfig resolve_config(const std::string& config_file, const std::map<std::string, std::string>& flags,
                              const std::function<const char*(const char*)>& environment) {
  ResolvedConfig resolved = defaults();
  if (!config_file.empty()) apply_file(io::read_toml(config_file), resolved);
  for (const Setting& setting : settings()) {
    const std::string variable = environment_name(setting.name);
    const char* text = environment ? environment(variable.c_str()) : nullptr;
    // An empty variable is how shells unset one for a single command.
    if (text != nullptr && *text != '\0') apply(setting, text, Origin::environment, variable, resolved);
  }
  apply_flags(flags, resolved);
  return resolved;
}

ResolvedConfig parse_config(std::string_view toml, const std::string& file) {
  ResolvedConfig resolved = defaults();
  apply_file(io::parse_toml(toml, file), resolved);
  return resolved;
}

std::string to_toml(const ResolvedConfig& resolved, bool with_origins) {
  std::string out;
  std::string_view section;
  for (const Setting& setting : settings()) {
    if (setting.section != section) {
      section = setting.section;
      out += base::str(out.empty() ? "" : "\n", "[", section, "]\n");
    }
    const std::string text = setting.get(resolved.config);
    const bool is_text = setting.type == ValueType::text || setting.type == ValueType::size;
    std::string line = is_text ? io::print_toml({.file = "", .entries = {{std::string(setting.name), text}}})
                               : base::str(setting.name, " = ", text, "\n");
    const auto origin = resolved.origins.find(setting.name);
    if (with_origins && origin != resolved.origins.end()) {
      line.pop_back();
      line += std::string(line.size() < 40 ? 40 - line.size() : 1, ' ') + "# " +
              std::string(name(origin->second)) + "\n";
    }
    out += line;
  }
  return out;
}

}  // namespace convoy::run
