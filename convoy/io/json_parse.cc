// The only place that sees the JSON library. Its event parser keeps no call stack per level, so nesting is
// bounded here, where the tree is built.
#include <nlohmann/json.hpp>

#include <unordered_set>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/file.h"
#include "convoy/io/json.h"

namespace convoy::io {
namespace {

class TreeBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  TreeBuilder(const std::string& file, std::int64_t base_offset) : file_(file), base_offset_(base_offset) {}

  Json take_root() { return std::move(root_); }

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(number_integer_t value) override { return add(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return add(Json(value)); }
  bool number_float(number_float_t value, const string_t& text) override {
    // The parser falls back to double for integers beyond uint64; that would lose digits silently.
    if (text.find_first_of(".eE") == std::string::npos)
      throw base::InputError(file_, base::str("the integer ", text.substr(0, 40), " is out of range"));
    return add(Json(value));
  }
  bool string(string_t& value) override { return add(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }  // JSON text has none

  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    if (!level.names.insert(name).second)
      throw base::InputError(
          file_, base::str("the name ", Json(name.substr(0, 100)).dump(), " comes twice in one object"));
    level.name = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // "[json.exception.x.101] parse error at line 1, column 2: syntax error while …": keep the last part.
    std::string problem = error.what();
    const std::size_t colon = problem.find(": ");
    if (colon != std::string::npos) problem.erase(0, colon + 2);
    for (char& c : problem)
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    // The library counts the bytes it has read; the last of them, or the end of the text, is the bad one.
    const std::int64_t at = base_offset_ + static_cast<std::int64_t>(position) - (position > 0 ? 1 : 0);
    throw base::InputError(file_, base::str("bad JSON at byte ", at, ": ", problem));
  }

 private:
  // An array or object whose end has not come yet.
  struct Level {
    bool is_object = false;
    Json::Array items;
    Json::Object members;
    std::string name;
    std::unordered_set<std::string> names;
  };

  bool open(bool is_object) {
    if (std::ssize(levels_) >= kMaxJsonDepth)
      throw base::InputError(file_, base::str("JSON nested deeper than ", kMaxJsonDepth, " levels"));
    levels_.emplace_back().is_object = is_object;
    return true;
  }

  bool close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    if (!level.is_object) return add(Json(std::move(level.items)));
    return add(Json::object(std::move(level.members)));
  }

  bool add(Json value) {
    if (levels_.empty())
      root_ = std::move(value);
    else if (levels_.back().is_object)
      levels_.back().members.emplace_back(std::move(levels_.back().name), std::move(value));
    else
      levels_.back().items.push_back(std::move(value));
    return true;
  }

  const std::string& file_;
  std::int64_t base_offset_;
  std::vector<Level> levels_;
  Json root_;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& file, std::int64_t base_offset) {
  TreeBuilder builder(file, base_offset);
  const bool complete = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  CONVOY_CHECK(complete, "the JSON parser stopped without an error in ", file);
  return builder.take_root();
}

Json read_json(const std::string& path) { return parse_json(read_file(path), path); }

}  // namespace convoy::io
