// Broken preconditions: bugs of the program, never of the user.
#pragma once

#include <sstream>
#include <string>

namespace convoy::base {

// Concatenates its arguments as operator<< prints them.
template <class... Args>
std::string str(const Args&... args) {
  std::ostringstream out;
  static_cast<void>((out << ... << args));
  return std::move(out).str();
}

// The rank that bug reports and log lines name; 0 until a launcher says otherwise. Set once, at start.
void set_process_rank(int rank);
int process_rank();

// Prints one line (rank, place, condition, message) on stderr and aborts. Does not return.
[[noreturn]] void bug(const char* file, int line, const char* condition, const std::string& message);

}  // namespace convoy::base

// Aborts with the values streamed in `...` when `condition` is false; on in every build.
#define CONVOY_CHECK(condition, ...)                                                         \
  do {                                                                                       \
    if (!(condition)) [[unlikely]]                                                           \
      ::convoy::base::bug(__FILE__, __LINE__, #condition, ::convoy::base::str(__VA_ARGS__)); \
  } while (false)
