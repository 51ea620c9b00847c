#include "convoy/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/atomic_file.h"

namespace convoy::io {
namespace {

using base::FileError;
using base::InputError;

[[noreturn]] void throw_past_end(const RandomAccessFile& file, std::int64_t offset,
                                 std::int64_t wanted_bytes) {
  throw InputError(file.name(), base::str("cut short: ", wanted_bytes, " bytes expected at byte ", offset,
                                          ", but the file ends at byte ", file.size_bytes()));
}

class Descriptor final : public RandomAccessFile {
 public:
  Descriptor(int descriptor, std::string name, std::int64_t size_bytes)
      : descriptor_(descriptor), name_(std::move(name)), size_bytes_(size_bytes) {}
  ~Descriptor() override { ::close(descriptor_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  const std::string& name() const override { return name_; }
  std::int64_t size_bytes() const override { return size_bytes_; }

  void read_at(std::int64_t offset, std::span<std::byte> out) const override {
    CONVOY_CHECK(offset >= 0, "offset ", offset, " in ", name_);
    const auto wanted_bytes = static_cast<std::int64_t>(out.size());
    std::int64_t done_bytes = 0;
    while (done_bytes < wanted_bytes) {
      const ssize_t got = ::pread(descriptor_, out.data() + done_bytes,
                                  static_cast<std::size_t>(wanted_bytes - done_bytes), offset + done_bytes);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0)
        throw InputError(name_,
                         base::str("cannot read at byte ", offset + done_bytes, ": ", std::strerror(errno)));
      if (got == 0) throw_past_end(*this, offset, wanted_bytes);
      done_bytes += got;
    }
  }

 private:
  int descriptor_;
  std::string name_;
  std::int64_t size_bytes_;
};

class Memory final : public RandomAccessFile {
 public:
  Memory(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}
  const std::string& name() const override { return name_; }
  std::int64_t size_bytes() const override { return static_cast<std::int64_t>(bytes_.size()); }

  void read_at(std::int64_t offset, std::span<std::byte> out) const override {
    CONVOY_CHECK(offset >= 0, "offset ", offset, " in ", name_);
    const auto wanted_bytes = static_cast<std::int64_t>(out.size());
    if (offset > size_bytes() || wanted_bytes > size_bytes() - offset)
      throw_past_end(*this, offset, wanted_bytes);
    std::copy_n(bytes_.begin() + offset, wanted_bytes, out.begin());
  }

 private:
  std::span<const std::byte> bytes_;
  std::string name_;
};

std::string environment_path(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && value[0] == '/' ? value : "";  // the XDG rules ignore relative paths
}

}  // namespace

std::shared_ptr<const RandomAccessFile> adopt_descriptor(int descriptor, const std::string& name) {
  struct ::stat status {};
  std::string problem;
  if (::fstat(descriptor, &status) != 0)
    problem = base::str("cannot examine it: ", std::strerror(errno));
  else if (S_ISDIR(status.st_mode))
    problem = "is a directory; a file is expected";
  else if (!S_ISREG(status.st_mode))
    problem = "is not a regular file";
  if (!problem.empty()) {
    ::close(descriptor);
    throw InputError(name, problem);
  }
  return std::make_shared<Descriptor>(descriptor, name, status.st_size);
}

std::shared_ptr<const RandomAccessFile> open_file(const std::string& path, const std::string& name) {
  // Non-blocking, so that a FIFO given by mistake is refused instead of waited for.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    throw InputError(name.empty() ? path : name,
                     errno == ENOENT ? "no such file" : base::str("cannot open: ", std::strerror(errno)));
  return adopt_descriptor(descriptor, name.empty() ? path : name);
}

std::shared_ptr<const RandomAccessFile> make_memory_file(std::span<const std::byte> bytes, std::string name) {
  return std::make_shared<Memory>(bytes, std::move(name));
}

std::string read_file(const std::string& path, std::int64_t max_bytes) {
  const auto file = open_file(path);
  if (file->size_bytes() > max_bytes)
    throw InputError(
        path, base::str("has ", file->size_bytes(), " bytes; at most ", max_bytes, " are expected here"));
  std::string text(static_cast<std::size_t>(file->size_bytes()), '\0');
  file->read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

bool file_exists(const std::string& path) {
  struct ::stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::string join_path(const std::string& directory, const std::string& name) {
  if (directory.empty() || name.starts_with('/')) return name;
  return directory.ends_with('/') ? directory + name : directory + '/' + name;
}

std::string parent_directory(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

void make_directories(const std::string& path) {
  if (path.empty()) throw FileError("(empty path)", "make the directory", ENOENT);
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    struct ::stat status {};
    if (::mkdir(part.c_str(), 0777) != 0 && errno != EEXIST) {
      // Where making it is refused (a read-only root, say) it may still be there already.
      const int error_number = errno;
      if (::stat(part.c_str(), &status) != 0) throw FileError(part, "make the directory", error_number);
    }
    if (::stat(part.c_str(), &status) != 0) throw FileError(part, "make the directory", errno);
    if (!S_ISDIR(status.st_mode)) throw FileError(part, "make the directory", ENOTDIR);
    if (end == std::string::npos) return;
  }
}

void prepare_output_directory(const std::string& path) {
  make_directories(path);
  const std::string probe = join_path(path, ".write-test");
  write_file_atomically(probe, "convoy\n");
  if (::unlink(probe.c_str()) != 0 && errno != ENOENT) throw FileError(probe, "remove", errno);
}

void sync_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw FileError(path, "open the directory", errno);
  const int result = ::fsync(descriptor);
  const int error_number = errno;
  ::close(descriptor);
  // Some network file systems cannot sync a directory and say so; their renames are durable by themselves.
  if (result != 0 && error_number != EINVAL && error_number != ENOTSUP)
    throw FileError(path, "sync the directory", error_number);
}

std::string cache_directory() {
  if (const std::string cache = environment_path("XDG_CACHE_HOME"); !cache.empty())
    return join_path(cache, "convoy");
  const std::string home = environment_path("HOME");
  return home.empty() ? "" : join_path(home, ".cache/convoy");
}

}  // namespace convoy::io
