// A program run as its user runs it: as a process of its own, with its streams, environment and signals.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace convoy::testing {

// How the process ended and what it said. `status` is its exit status, or 128 + the signal that ended it.
struct ChildResult {
  int status = -1;
  std::string out, err;
};

struct ChildSetup {
  std::vector<std::string> arguments;  // [0] is the path of the program
  // Over this process's environment; a variable without a value is taken out.
  std::map<std::string, std::optional<std::string>> environment = {};
  std::string directory = {};         // to run in; empty: this process's
  int niceness = 0;                   // added to this process's
  bool broken_output = false;         // stdout is a pipe that nobody reads any more
  std::int64_t file_limit_bytes = 0;  // larger files cannot be written (EFBIG); 0: no limit
};

// Standard input is empty; standard output and error go to files that are read while it runs. The destructor
// kills the process if it still runs. Failures of the system, and waits that last too long, throw
// std::runtime_error. One thread uses it, and no other thread may be running at its construction.
class ChildProcess {
 public:
  explicit ChildProcess(const ChildSetup& setup);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  void send(int signal) const;
  bool has_ended();
  // What it has written so far.
  std::string out() const;
  std::string err() const;
  // Returns when stderr contains `text`; throws if the process ends first.
  void wait_for_err(const std::string& text);
  // Waits for the end.
  ChildResult wait();

 private:
  void wait_for_end_or(const std::string& text);

  pid_t pid_ = -1;
  std::optional<int> status_;
  int out_ = -1;
  int err_ = -1;
};

}  // namespace convoy::testing
