#include "tests/support/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace convoy::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(120);  // far beyond any single run here, sanitizers included
constexpr auto kPause = std::chrono::milliseconds(2);
constexpr int kCannotStart = 127;

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error("child process: " + what); }

int make_file(const char* name) {
  const int descriptor = ::memfd_create(name, MFD_CLOEXEC);
  if (descriptor < 0) fail(std::string("no file in memory: ") + std::strerror(errno));
  return descriptor;
}

std::string contents(int descriptor) {
  std::string text;
  std::array<char, 65536> piece{};
  for (;;) {
    const ssize_t got = ::pread(descriptor, piece.data(), piece.size(), static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

std::vector<std::string> environment_of(const ChildSetup& setup) {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!setup.environment.contains(text.substr(0, text.find('=')))) variables.push_back(text);
  }
  for (const auto& [name, value] : setup.environment)
    if (value) variables.push_back(name + "=" + *value);
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

// A pipe's end for writing whose other end is closed.
int make_broken_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail(std::string("no pipe: ") + std::strerror(errno));
  ::close(ends[0]);
  return ends[1];
}

// In the child: only calls that are safe between fork and exec.
[[noreturn]] void become(const ChildSetup& setup, int out, int err, char** arguments, char** variables) {
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  if (!setup.directory.empty() && ::chdir(setup.directory.c_str()) != 0) ::_exit(kCannotStart);
  if (setup.file_limit_bytes > 0) {
    const auto limit = static_cast<rlim_t>(setup.file_limit_bytes);
    const rlimit both = {.rlim_cur = limit, .rlim_max = limit};
    if (::setrlimit(RLIMIT_FSIZE, &both) != 0) ::_exit(kCannotStart);
    ::signal(SIGXFSZ, SIG_IGN);
  }
  if (setup.niceness != 0) ::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + setup.niceness);
  ::execve(arguments[0], arguments, variables);
  ::_exit(kCannotStart);
}

}  // namespace

ChildProcess::ChildProcess(const ChildSetup& setup) : out_(make_file("out")), err_(make_file("err")) {
  std::vector<std::string> arguments = setup.arguments, variables = environment_of(setup);
  const std::vector<char*> argument_list = pointers(arguments), variable_list = pointers(variables);
  const int broken = setup.broken_output ? make_broken_pipe() : -1;
  pid_ = ::fork();
  if (pid_ == 0)
    become(setup, broken >= 0 ? broken : out_, err_, const_cast<char**>(argument_list.data()),
           const_cast<char**>(variable_list.data()));
  if (broken >= 0) ::close(broken);
  if (pid_ < 0) fail(std::string("no fork: ") + std::strerror(errno));
}

ChildProcess::~ChildProcess() {
  if (!has_ended()) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(out_);
  ::close(err_);
}

void ChildProcess::send(int signal) const {
  if (!status_) ::kill(pid_, signal);
}

bool ChildProcess::has_ended() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return status_.has_value();
}

std::string ChildProcess::out() const { return contents(out_); }
std::string ChildProcess::err() const { return contents(err_); }

void ChildProcess::wait_for_end_or(const std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!has_ended() && (text.empty() || err().find(text) == std::string::npos)) {
    if (std::chrono::steady_clock::now() > deadline)
      fail("no end" + (text.empty() ? "" : " and no \"" + text + "\"") + " in time; it said: " + err());
    std::this_thread::sleep_for(kPause);
  }
}

void ChildProcess::wait_for_err(const std::string& text) {
  wait_for_end_or(text);
  if (err().find(text) == std::string::npos) fail("ended without \"" + text + "\"; it said: " + err());
}

ChildResult ChildProcess::wait() {
  wait_for_end_or("");
  return {.status = *status_, .out = out(), .err = err()};
}

}  // namespace convoy::testing
