#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/archive.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/sha256.h"

namespace convoy::io {
namespace {

using base::FileError;

// Where the unpacked form of a file is kept. The name changes when the file does. Empty: there is no cache.
std::string cached_name(const std::string& path) {
  const std::string cache = cache_directory();
  struct ::stat status {};
  if (cache.empty() || ::stat(path.c_str(), &status) != 0) return {};
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  const std::unique_ptr<char, Free> absolute(::realpath(path.c_str(), nullptr));
  const std::string key = base::str(absolute ? absolute.get() : path, '\n', status.st_size, '\n',
                                    status.st_mtim.tv_sec, '\n', status.st_mtim.tv_nsec);
  const std::string plain = base_name(path).substr(0, base_name(path).rfind('.'));
  return join_path(cache,
                   "unpacked/" + sha256_hex(std::as_bytes(std::span(key))).substr(0, 32) + "-" + plain);
}

// Unpacks into the cache; false where the cache cannot be written.
bool fill_cache(const RandomAccessFile& packed, Compression compression, const std::string& cached,
                std::int64_t max_bytes) {
  try {
    make_directories(parent_directory(cached));
    AtomicFile out(cached);
    unpack(
        packed, compression, [&](std::span<const std::byte> bytes) { out.write(bytes); }, max_bytes);
    out.commit();
    return true;
  } catch (const FileError&) {
    return false;  // read-only, full, forbidden: the temporary file is the second try
  }
}

// An open file without a name.
int open_nameless(const std::string& for_file) {
  const char* variable = std::getenv("TMPDIR");
  std::string name =
      join_path(variable != nullptr && *variable != '\0' ? variable : "/tmp", "convoy-unpacked-XXXXXX");
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) throw FileError(name, "create to unpack " + for_file, errno);
  ::unlink(name.c_str());
  return descriptor;
}

std::shared_ptr<const RandomAccessFile> unpack_nameless(const RandomAccessFile& packed,
                                                        Compression compression, std::int64_t max_bytes) {
  const int descriptor = open_nameless(packed.name());
  try {
    unpack(
        packed, compression,
        [&](std::span<const std::byte> bytes) {
          while (!bytes.empty()) {
            const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) throw FileError(packed.name(), "unpack it", written < 0 ? errno : ENOSPC);
            bytes = bytes.subspan(static_cast<std::size_t>(written));
          }
        },
        max_bytes);
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  return adopt_descriptor(descriptor, packed.name());
}

}  // namespace

std::shared_ptr<const RandomAccessFile> open_plain(const std::string& path, std::int64_t max_bytes) {
  const Compression compression = compression_of(path);
  const auto file = open_file(path);
  if (compression == Compression::none) return file;
  const std::string cached = cached_name(path);
  if (!cached.empty() && (file_exists(cached) || fill_cache(*file, compression, cached, max_bytes)))
    return open_file(cached, path + " (unpacked as " + cached + ")");
  return unpack_nameless(*file, compression, max_bytes);
}

}  // namespace convoy::io
