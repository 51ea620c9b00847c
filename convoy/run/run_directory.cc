#include "convoy/run/run_directory.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>

#include "convoy/base/error.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"
#include "convoy/train/checkpoint.h"

namespace convoy::run {
namespace {

io::DirectoryLock prepare_and_lock(const std::string& path) {
  io::prepare_output_directory(path);
  auto lock = io::DirectoryLock::acquire(path);
  if (!lock) throw base::UsageError(lock.reason().text);
  return std::move(lock).value();
}

// Writes all bytes or takes back those it wrote.
void append_or_restore(int descriptor, const std::string& path, const std::string& text) {
  const off_t before = ::lseek(descriptor, 0, SEEK_END);
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = ::write(descriptor, text.data() + done, text.size() - done);
    if (written > 0) {
      done += static_cast<std::size_t>(written);
      continue;
    }
    if (errno == EINTR) continue;
    const int error_number = errno;
    if (done > 0 && ::ftruncate(descriptor, before) != 0) errno = error_number;
    ::close(descriptor);
    throw base::FileError(path, "append to the metrics", error_number);
  }
}

}  // namespace

RunDirectory::RunDirectory(const std::string& path) : path_(path), lock_(prepare_and_lock(path)) {
  io::remove_abandoned_temporaries(path_);
  if (const std::string traces = io::join_path(path_, "trace"); std::filesystem::is_directory(traces))
    io::remove_abandoned_temporaries(traces);
}

std::string RunDirectory::checkpoints() const { return io::join_path(path_, "checkpoints"); }

std::optional<std::string> RunDirectory::latest_checkpoint() const {
  return train::find_latest(checkpoints());
}

bool RunDirectory::holds_checkpoints() const {
  std::error_code error;  // a directory that is not there holds none
  const std::filesystem::directory_iterator entries(checkpoints(), error);
  return std::any_of(begin(entries), end(entries), [](const std::filesystem::directory_entry& entry) {
    return entry.path().filename().string().starts_with("step-");
  });
}

bool RunDirectory::holds_a_run() const {
  return io::file_exists(io::join_path(path_, "config.toml")) ||
         io::file_exists(io::join_path(path_, "metrics.jsonl")) || latest_checkpoint().has_value();
}

void RunDirectory::write_config(const std::string& toml) const {
  io::write_file_atomically(io::join_path(path_, "config.toml"), toml);
}

void RunDirectory::write_environment(const io::Json& environment) const {
  io::write_file_atomically(io::join_path(path_, "env.json"), environment.dump(2));
}

void RunDirectory::trim_metrics(std::int64_t last_step) const {
  const std::string path = io::join_path(path_, "metrics.jsonl");
  if (!io::file_exists(path)) return;
  const std::string text = io::read_file(path);
  std::string kept;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // a row that a killed run cut short
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const io::Json row = io::parse_json(line, path);
    if (io::require_int64(row, "step", path) <= last_step) kept += line + "\n";
  }
  io::write_file_atomically(path, kept);
}

void RunDirectory::append_metrics(const io::Json& row) const {
  const std::string path = io::join_path(path_, "metrics.jsonl");
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0) throw base::FileError(path, "open the metrics", errno);
  append_or_restore(descriptor, path, row.dump() + "\n");
  if (::close(descriptor) != 0) throw base::FileError(path, "append to the metrics", errno);
}

std::string checkpoint_place(const std::string& path) {
  return io::file_exists(io::join_path(path, "config.toml")) ? io::join_path(path, "checkpoints") : path;
}

// "folder:photos/flowers" as a part of a file's name: "folder-flowers".
std::string short_name(std::string data) {
  while (data.ends_with('/')) data.pop_back();
  const std::size_t colon = data.find(':');
  return colon == std::string::npos ? data
                                    : data.substr(0, colon) + "-" + io::base_name(data.substr(colon + 1));
}

std::string default_run_directory(const RunConfig& config) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
  const std::string model = std::filesystem::path(config.model).stem().string();
  const std::string stem = fmt::format("runs/{}-{}-{}", model, short_name(config.data), stamp);
  std::string path = stem;
  for (int k = 2; std::filesystem::exists(path); ++k) path = fmt::format("{}-{}", stem, k);
  return path;
}

}  // namespace convoy::run
