#include <glob.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/readers/folder.h"
#include "convoy/data/readers/shards.h"

namespace convoy::data {
namespace {

using base::InputError;
using base::str;

constexpr std::int64_t kMostShards = 1'000'000;

// Files that a pattern of the shell names, sorted.
std::vector<std::string> glob(const std::string& pattern) {
  ::glob_t found{};
  const std::unique_ptr<::glob_t, void (*)(::glob_t*)> owner(&found, ::globfree);
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), GLOB_BRACE, nullptr, &found) == 0)
    for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  return paths;
}

// "x-{008..011}.tar" as four names; a pattern without such numbers as it is.
std::vector<std::string> expand_numbers(const std::string& pattern) {
  const std::size_t open = pattern.find('{'), dots = pattern.find("..", open),
                    close = pattern.find('}', dots);
  if (open == std::string::npos || dots == std::string::npos || close == std::string::npos) return {pattern};
  std::int64_t first = 0, last = -1;
  const char* begin = pattern.data();
  const auto low = std::from_chars(begin + open + 1, begin + dots, first);
  const auto high = std::from_chars(begin + dots + 2, begin + close, last);
  if (low.ec != std::errc() || low.ptr != begin + dots || high.ec != std::errc() ||
      high.ptr != begin + close || first < 0 || last < first || last - first >= kMostShards)
    throw base::UsageError(str("'", pattern, "': the numbers in braces must rise, as in {000..012}"));
  const std::size_t digits = dots - open - 1;
  std::vector<std::string> names;
  for (std::int64_t i = first; i <= last; ++i) {
    std::string number = std::to_string(i);
    if (number.size() < digits) number.insert(0, digits - number.size(), '0');
    names.push_back(pattern.substr(0, open) + number + pattern.substr(close + 1));
  }
  return names;
}

OpenStore open_plain(std::vector<std::string> paths) {
  return [paths = std::move(paths)] { return open_plain_shards(paths); };
}

// A part of a directory by the beginning of its files' names; empty where there is none.
OpenStore find_part(const std::string& directory, std::string_view name) {
  const std::string begin = str(directory, "/", name);
  if (io::file_exists(begin + ".index"))
    return [path = begin + ".index"] { return open_indexed_shards(path); };
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string file = entry.path().filename().string();
    if (!file.starts_with('.') && file.starts_with(name) && file.ends_with(".tar"))
      paths.push_back(io::join_path(directory, file));
  }
  std::sort(paths.begin(), paths.end());
  return paths.empty() ? OpenStore() : open_plain(std::move(paths));
}

PicturePlace find_in_directory(const std::string& directory) {
  PicturePlace place{.path = directory, .train = find_part(directory, "train"), .test = {}};
  if (place.train)
    for (const std::string_view name : {"val", "valid", "validation", "test"})
      if (!place.test) place.test = find_part(directory, name);
  if (!place.train) place.train = find_part(directory, "all");
  if (!place.train) place.train = find_part(directory, "");
  if (!place.train) throw InputError(directory, "no shards in it: no .tar file");
  return place;
}

bool is_shard_name(const std::string& path) { return path.ends_with(".tar") || path.ends_with(".index"); }

bool looks_like_shards(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return is_shard_name(path);
  for (const auto& entry : std::filesystem::directory_iterator(path, error))
    if (is_shard_name(entry.path().filename().string())) return true;
  return false;
}

}  // namespace

PicturePlace find_shards(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return find_in_directory(path);
  PicturePlace place{.path = path, .train = {}, .test = {}};
  if (path.ends_with(".index")) {
    place.train = [path] { return open_indexed_shards(path); };
    return place;
  }
  std::vector<std::string> paths;
  for (const std::string& name : expand_numbers(path)) {
    std::vector<std::string> found = glob(name);
    if (found.empty()) throw InputError(name, "no such shard");
    paths.insert(paths.end(), found.begin(), found.end());
  }
  place.train = open_plain(std::move(paths));
  return place;
}

PicturePlace find_pictures(const std::string& name) {
  const std::size_t colon = name.find(':');
  const std::string kind = name.substr(0, std::min(colon, name.size()));
  if (colon != std::string::npos && kind == "shards") return find_shards(name.substr(colon + 1));
  if (colon != std::string::npos && kind == "folder") return find_folder_parts(name.substr(colon + 1));
  return looks_like_shards(name) ? find_shards(name) : find_folder_parts(name);
}

}  // namespace convoy::data
