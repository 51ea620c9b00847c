// Settings files in TOML.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace convoy::io {

using ConfigValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

// One setting and where it was written.
struct ConfigEntry {
  std::string key;  // "section.key", tables joined by dots
  ConfigValue value;
  std::int64_t line = 0;  // from 1; 0 where it came from no file
  std::int64_t column = 0;
};

// The settings of one file, in the order of the file.
struct Config {
  std::string file;
  std::vector<ConfigEntry> entries;

  const ConfigEntry* find(std::string_view key) const;
  // "FILE:LINE:COLUMN" of an entry, for messages.
  std::string place(const ConfigEntry& entry) const;
};

// Parses TOML text. Values are booleans, integers, floats, strings and arrays of strings; anything else
// (dates, tables in arrays, mixed arrays), a name with a dot in it and bad syntax throw UsageError that
// names file, line and column.
Config parse_toml(std::string_view text, const std::string& file);
// Throws InputError where the file cannot be read.
Config read_toml(const std::string& path);

// The settings as TOML text that parses back to the same keys and values: settings without a section
// first, then one table for each section, in the order of first appearance.
std::string print_toml(const Config& config);

}  // namespace convoy::io
