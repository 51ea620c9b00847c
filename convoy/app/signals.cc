#include "convoy/app/signals.h"

#include <unistd.h>

namespace convoy::app {
namespace {

sigset_t requests() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&set, number);
  return set;
}

}  // namespace

// No handler: the system would push its frame onto the stack of whatever thread it interrupts, and oneDNN's
// generated matrix kernels let the stack pointer point into the heap while they run (2.6.3, AVX-512: a frame
// of kilobytes then overwrites what lies below, in one of some fifty signals).
SignalScope::SignalScope(base::StopToken& stop) : stop_(stop) {
  const sigset_t set = requests();
  pthread_sigmask(SIG_BLOCK, &set, &before_);
  receiver_ = std::jthread([this](const std::stop_token& end) { receive(end); });
}

SignalScope::~SignalScope() {
  receiver_.request_stop();
  pthread_kill(receiver_.native_handle(), SIGUSR1);  // wakes it
  receiver_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void SignalScope::receive(const std::stop_token& end) {
  const sigset_t set = requests();
  for (int number = 0; sigwait(&set, &number) == 0 && !end.stop_requested();) {
    if (number == SIGUSR1)
      stop_.request_checkpoint();
    else if (stop_.stop_requested())
      _exit(128 + number);
    else
      stop_.request_stop(number);
  }
}

void ignore_harmless_signals() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR1, SIG_IGN);  // while it is blocked, sigwait gets it all the same
}

}  // namespace convoy::app
