// One-line log messages on stderr. Results never go here; they belong to stdout.
#pragma once

#include <functional>
#include <string>

namespace convoy::base {

enum class LogLevel { info, warning };

// Writes "convoy: LINE" (or "convoy: warning: LINE") through the current sink. Thread-safe.
void log(LogLevel level, const std::string& line);

// Replaces the sink (a progress bar must clear its line first; a test captures). Null restores stderr.
void set_log_sink(std::function<void(LogLevel, const std::string&)> sink);

}  // namespace convoy::base
