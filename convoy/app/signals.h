// Signals as requests that training reads between two steps.
#pragma once

#include <signal.h>

#include <stop_token>
#include <thread>

#include "convoy/base/stop.h"

namespace convoy::app {

// While it lives, INT and TERM ask `stop` for an end and a second one ends the process at once with 130 or
// 143; USR1 asks for a checkpoint. A thread of its own waits for them; in the thread that makes it, and in
// all that this one starts from then on, they are blocked. Make it before the process has other threads. The
// destructor restores what was before.
class SignalScope {
 public:
  explicit SignalScope(base::StopToken& stop);
  ~SignalScope();
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

 private:
  void receive(const std::stop_token& end);

  base::StopToken& stop_;
  sigset_t before_{};
  std::jthread receiver_;
};

// For the whole process: a write into a closed pipe is an error of the write instead of the end, and USR1
// does nothing where no scope waits for it, so that a scheduler's warning does not end a run that is starting
// or just done.
void ignore_harmless_signals();

}  // namespace convoy::app
