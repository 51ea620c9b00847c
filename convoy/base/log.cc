#include "convoy/base/log.h"

#include <cstdio>
#include <mutex>
#include <utility>

namespace convoy::base {
namespace {

struct Sink {
  std::mutex mutex;
  std::function<void(LogLevel, const std::string&)> write;
};

Sink& sink() {
  static Sink instance;
  return instance;
}

}  // namespace

void log(LogLevel level, const std::string& line) {
  const std::lock_guard lock(sink().mutex);
  if (sink().write) return sink().write(level, line);
  std::fprintf(stderr, "convoy: %s%s\n", level == LogLevel::warning ? "warning: " : "", line.c_str());
}

void set_log_sink(std::function<void(LogLevel, const std::string&)> write) {
  const std::lock_guard lock(sink().mutex);
  sink().write = std::move(write);
}

}  // namespace convoy::base
