// Failures of the environment: files, data, peers, time, memory, the person at the keyboard.
// Thrown anywhere, caught only in `app` and in the strategies that promise fault tolerance.
#pragma once

#include <stdexcept>
#include <string>

namespace convoy::base {

// The program's exit status; docs/formats.md lists them for schedulers.
enum class ExitCode : int {
  done = 0,
  failure = 1,
  usage = 2,
  bad_input = 3,
  diverged = 4,
  peer_lost = 5,
  interrupted = 75,  // stopped by a signal, checkpoint saved: a scheduler can requeue
};

// The root. `what()` is one line for a person: what is wrong, where, and what to do.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& line) : std::runtime_error(line), code_(code) {}
  ExitCode exit_code() const { return code_; }

 private:
  ExitCode code_;
};

// A wrong flag, key, model or data set name, an impossible combination of settings. Exit 2.
class UsageError final : public Error {
 public:
  explicit UsageError(const std::string& line) : Error(ExitCode::usage, line) {}
};

// A file or stream that is missing, cut, corrupt or not what it should be. Exit 3.
class InputError final : public Error {
 public:
  InputError(const std::string& file, const std::string& problem)
      : Error(ExitCode::bad_input, file + ": " + problem), file_(file) {}
  const std::string& file() const { return file_; }

 private:
  std::string file_;
};

// An operation on a file that the system refused (disk full, read-only, permission). Exit 1.
class FileError final : public Error {
 public:
  FileError(const std::string& file, const std::string& operation, int error_number);
  const std::string& file() const { return file_; }
  int error_number() const { return error_number_; }

 private:
  std::string file_;
  int error_number_;
};

// The loss or a weight is no longer finite. Exit 4.
class DivergedError final : public Error {
 public:
  explicit DivergedError(const std::string& line) : Error(ExitCode::diverged, line) {}
};

// A peer that is gone or did not answer before the deadline. Exit 5.
class PeerError final : public Error {
 public:
  PeerError(int rank, int peer, const std::string& operation, const std::string& problem);
  int rank() const { return rank_; }
  int peer() const { return peer_; }

 private:
  int rank_;
  int peer_;
};

}  // namespace convoy::base
