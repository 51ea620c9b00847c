#include "convoy/data/download.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "convoy/base/check.h"
#include "convoy/base/clock.h"
#include "convoy/base/error.h"
#include "convoy/base/log.h"
#include "convoy/data/http.h"
#include "convoy/io/directory_lock.h"
#include "convoy/io/file.h"
#include "convoy/io/sha256.h"

namespace convoy::data {
namespace {

using base::FileError;
using base::InputError;
using base::str;

constexpr double kLogEvery_s = 5;
constexpr std::int64_t kProgress_bytes = 1 << 16;  // an attempt that brought less counts as failed

// Waits for another process that downloads into the directory.
io::DirectoryLock wait_for_lock(const std::string& directory, double timeout_s) {
  const auto clock = base::make_steady_clock();
  const double deadline = clock->now() + timeout_s;
  while (true) {
    base::Result<io::DirectoryLock> lock = io::DirectoryLock::acquire(directory);
    if (lock.ok()) return std::move(lock).value();
    if (clock->now() >= deadline)
      throw InputError(directory, str("no download in ", timeout_s, " s: ", lock.reason().text));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

std::int64_t size_of(const std::string& path) {
  return io::file_exists(path) ? io::open_file(path)->size_bytes() : 0;
}

void remove_if_there(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw FileError(path, "remove", errno);
}

// Without a callback: a log line every few seconds.
std::function<void(std::int64_t)> make_progress(const RemoteFile& file, const DownloadOptions& options) {
  if (options.progress)
    return
        [&file, &options](std::int64_t received_bytes) { options.progress(received_bytes, file.size_bytes); };
  std::shared_ptr<base::Clock> clock = base::make_steady_clock();
  return [&file, clock, next = clock->now() + kLogEvery_s](std::int64_t received_bytes) mutable {
    if (clock->now() < next) return;
    next = clock->now() + kLogEvery_s;
    base::log(base::LogLevel::info,
              str(file.name, ": ", received_bytes / 1000, " of ", file.size_bytes / 1000, " kB"));
  };
}

// Receives and checks the file from one mirror; an empty result means that it is in place.
std::string try_mirror(const RemoteFile& file, const std::string& url, const std::string& partial,
                       const DownloadOptions& options) {
  const HttpRequest request{.url = url,
                            .path = partial,
                            .max_bytes = file.size_bytes,
                            .connect_timeout_s = options.connect_timeout_s,
                            .stall_timeout_s = options.stall_timeout_s,
                            .progress = make_progress(file, options)};
  std::string problem;
  for (int attempt = 0; attempt < options.attempts_per_mirror;) {
    const std::int64_t before_bytes = size_of(partial);
    const HttpResult result = http_get(request);
    problem = result.problem;
    if (result.outcome == HttpOutcome::refused) break;
    if (size_of(partial) - before_bytes < kProgress_bytes) ++attempt;
    if (result.outcome == HttpOutcome::interrupted) continue;
    const std::string sum = io::sha256_file(partial);
    if (sum == file.sha256) return {};
    remove_if_there(partial);
    problem = "wrong checksum: SHA-256 " + sum + ", expected " + file.sha256;
    // What an earlier run left may be of another version of the file: then this mirror deserves a second
    // request, from the first byte on.
    if (before_bytes == 0) break;
  }
  return problem;
}

}  // namespace

std::string download(const RemoteFile& file, const std::string& directory, const DownloadOptions& options) {
  CONVOY_CHECK(!file.urls.empty() && file.sha256.size() == 64 && file.size_bytes > 0, file.name);
  const std::string path = io::join_path(directory, file.name);
  if (io::file_exists(path)) return path;
  if (options.offline)
    throw InputError(path, "not there, and offline operation forbids the download; put the file from " +
                               file.urls.front() + " there");
  io::make_directories(directory);
  const io::DirectoryLock lock = wait_for_lock(directory, options.lock_timeout_s);
  if (io::file_exists(path)) return path;  // the process that held the lock brought it
  const std::string partial = path + ".part";
  std::string problems;
  for (const std::string& url : file.urls) {
    if (!options.progress) base::log(base::LogLevel::info, "downloading " + url + " to " + path);
    const std::string problem = try_mirror(file, url, partial, options);
    if (problem.empty()) {
      if (std::rename(partial.c_str(), path.c_str()) != 0) throw FileError(path, "rename into place", errno);
      io::sync_directory(directory);
      return path;
    }
    problems += (problems.empty() ? "" : "; ") + url + ": " + problem;
  }
  throw InputError(path,
                   "cannot be downloaded (" + problems + "); put the file there yourself or give --data-dir");
}

}  // namespace convoy::data
