#include "tests/support/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "convoy/io/file.h"
#include "convoy/io/sha256.h"

extern char** environ;

namespace convoy::testing {
namespace {

namespace fs = std::filesystem;

constexpr auto kPause = std::chrono::milliseconds(2);

}  // namespace

ChildSetup convoy_setup(const std::string& directory, const std::vector<std::string>& arguments) {
  ChildSetup setup{.arguments = {CONVOY_PROGRAM}, .directory = directory};
  setup.arguments.insert(setup.arguments.end(), arguments.begin(), arguments.end());
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string name = std::string(*entry).substr(0, std::string(*entry).find('='));
    if (name.starts_with("CONVOY_")) setup.environment[name] = std::nullopt;
  }
  setup.environment["HOME"] = directory;
  setup.environment["XDG_CACHE_HOME"] = io::join_path(directory, "cache");
  // Equal plans in every run, and no time spent on measuring.
  setup.environment["CONVOY_TUNE"] = "off";
  setup.environment["GOMP_SPINCOUNT"] = "1000";
  return setup;
}

ChildResult run_convoy(const std::string& directory, const std::vector<std::string>& arguments) {
  return ChildProcess(convoy_setup(directory, arguments)).wait();
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> list;
  for (std::string word; stream >> word;) list.push_back(word);
  return list;
}

std::string refusal(const ChildResult& result, int status) {
  EXPECT_EQ(result.status, status) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_TRUE(result.err.starts_with("convoy: ") && result.err.ends_with("\n")) << result.err;
  return result.err.size() < 9 ? "" : result.err.substr(8, result.err.size() - 9);
}

io::Json json_of(const ChildResult& result) {
  EXPECT_EQ(result.status, 0) << result.err;
  return io::parse_json(result.out, "stdout");  // refuses anything behind the value
}

std::map<std::string, std::string> snapshot(const std::string& directory) {
  std::map<std::string, std::string> entries;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    const bool counts = entry.is_regular_file() && entry.path().filename() != ".lock";
    entries[entry.path().string()] = counts ? io::sha256_file(entry.path().string()) : "";
  }
  return entries;
}

std::vector<std::string> leftovers(const std::string& directory) {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.find(".tmp-") != std::string::npos || name.find("write-test") != std::string::npos)
      found.push_back(entry.path().string());
  }
  return found;
}

std::vector<std::string> checkpoints_of(const std::string& run) {
  std::vector<std::string> found;
  const fs::path place = fs::path(run) / "checkpoints";
  if (!fs::exists(place)) return found;
  for (const fs::directory_entry& entry : fs::directory_iterator(place))
    if (entry.path().filename().string().starts_with("step-")) found.push_back(entry.path().string());
  std::sort(found.begin(), found.end());
  return found;
}

std::int64_t step_of(const std::string& checkpoint) {
  return std::stoll(checkpoint.substr(checkpoint.rfind('-') + 1));
}

std::vector<io::Json> metrics_of(const std::string& run) {
  const std::string path = io::join_path(run, "metrics.jsonl");
  std::vector<io::Json> rows;
  if (!io::file_exists(path)) return rows;
  std::istringstream lines(io::read_file(path));
  for (std::string line; std::getline(lines, line) && !lines.eof();)  // a row being written has no end yet
    rows.push_back(io::parse_json(line, path));
  return rows;
}

void wait_for_step(ChildProcess& child, const std::string& run, std::int64_t step) {
  for (;;) {
    const bool ended = child.has_ended();
    const std::vector<io::Json> rows = metrics_of(run);
    if (!rows.empty() && io::require_int64(rows.back(), "step", run) >= step) return;
    if (ended) throw std::runtime_error("ended before step " + std::to_string(step) + ": " + child.err());
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace convoy::testing
