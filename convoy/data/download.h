// Fetching the files of a data set into the cache.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace convoy::data {

// One file that several mirrors offer.
struct RemoteFile {
  std::string name;               // in the directory it goes to
  std::vector<std::string> urls;  // http or https, tried in order
  std::string sha256;             // 64 lower-case hexadecimal digits
  std::int64_t size_bytes = 0;    // of the whole file; a mirror that sends more is refused
};

struct DownloadOptions {
  bool offline = false;  // refuse instead of connecting
  double connect_timeout_s = 15;
  double stall_timeout_s = 30;  // without a byte
  int attempts_per_mirror = 3;  // that bring nothing; a cut connection that brought something is resumed
  double lock_timeout_s = 600;  // for another process that downloads into the same directory
  // Told from time to time how much of the file is there. Null: one log line at the start and every few
  // seconds.
  std::function<void(std::int64_t received_bytes, std::int64_t total_bytes)> progress = {};
};

// Makes sure that DIRECTORY/NAME exists and returns its path. A file that is there already is taken as it is.
// Otherwise it is received as NAME.part, continued where an earlier attempt ended, checked against the
// SHA-256, and only then given its name. A mirror that fails, or whose file has another checksum, is left for
// the next one. Blocks. Only one process downloads into a directory at a time; others wait.
// Throws InputError with the reason for each mirror, or, when offline, with what to put where; FileError
// where the file cannot be written.
std::string download(const RemoteFile& file, const std::string& directory, const DownloadOptions& options);

}  // namespace convoy::data
