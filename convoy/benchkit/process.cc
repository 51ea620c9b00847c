#include "convoy/benchkit/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "convoy/base/check.h"
#include "convoy/base/error.h"

extern char** environ;

namespace convoy::benchkit {
namespace {

constexpr double kEndSeconds = 2;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string error_text(int number) { return std::strerror(number); }

int exit_status(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments) {
  CONVOY_CHECK(!arguments.empty());
  name_ = arguments[0];
  // The input is a socket, because writing to one whose reader is gone need not raise SIGPIPE.
  int input[2], output[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input) != 0) fail(error_text(errno));
  if (::pipe2(output, O_CLOEXEC) != 0) {
    const int number = errno;
    for (const int end : input) ::close(end);
    fail(error_text(number));
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input[1], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int problem = ::posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(input[1]);
  ::close(output[1]);
  input_ = input[0];
  output_ = output[0];
  if (problem == 0) return;
  pid_ = -1;
  close_input();
  ::close(output_);
  fail(error_text(problem));
}

ChildProcess::~ChildProcess() {
  close_input();
  const double deadline = now() + kEndSeconds;
  int status = 0;
  while (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == 0) {
    if (now() > deadline) ::kill(pid_, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ::close(output_);
}

void ChildProcess::fail(const std::string& problem) const {
  throw base::Error(base::ExitCode::failure, base::str("child process ", name_, ": ", problem));
}

void ChildProcess::close_input() {
  if (input_ >= 0) ::close(input_);
  input_ = -1;
}

void ChildProcess::write_line(const std::string& line) {
  const std::string text = line + "\n";
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t count = ::send(input_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(base::str("cannot be asked: ", error_text(errno)));
    sent += static_cast<std::size_t>(count);
  }
}

std::string ChildProcess::read_line(double timeout_seconds) {
  const double deadline = now() + timeout_seconds;
  for (std::size_t end = 0; (end = unread_.find('\n')) == std::string::npos;) {
    const double left = deadline - now();
    pollfd waiting{.fd = output_, .events = POLLIN, .revents = 0};
    const int ready = left > 0 ? ::poll(&waiting, 1, static_cast<int>(left * 1000) + 1) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) fail(base::str("no answer within ", timeout_seconds, " s"));
    char buffer[4096];
    const ssize_t count = ::read(output_, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("ended without an answer");
    unread_.append(buffer, static_cast<std::size_t>(count));
  }
  const std::size_t end = unread_.find('\n');
  std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return line;
}

int ChildProcess::wait() {
  CONVOY_CHECK(pid_ > 0, name_, " was waited for already");
  close_input();
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return exit_status(status);
}

}  // namespace convoy::benchkit
