// Other processes that take part in a measurement.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace convoy::benchkit {

// A child process that answers line by line. One thread uses it.
class ChildProcess {
 public:
  // Starts arguments[0], sought in PATH, with these arguments; stderr is this process's. Throws base::Error.
  explicit ChildProcess(const std::vector<std::string>& arguments);
  // Closes the child's input, waits two seconds for it to end, and kills it otherwise.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Throws base::Error where the child is gone.
  void write_line(const std::string& line);
  // The next line of its output, without the line end. Throws base::Error where the child has ended or says
  // nothing for so long.
  std::string read_line(double timeout_seconds);
  // Closes the child's input and waits for its end. Returns its exit status, or 128 + the signal.
  int wait();

 private:
  void close_input();
  [[noreturn]] void fail(const std::string& problem) const;

  std::string name_;
  std::string unread_;
  pid_t pid_ = -1;
  int input_ = -1;   // ours: what is written here the child reads
  int output_ = -1;  // ours: what the child wrote
};

}  // namespace convoy::benchkit
