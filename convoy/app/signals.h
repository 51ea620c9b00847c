// Signals as requests that training reads between two steps.
#pragma once

#include "convoy/base/stop.h"

namespace convoy::app {

// While it lives, INT and TERM ask `stop` for an end and a second one ends the process at once with 130 or
// 143; USR1 asks for a checkpoint. The destructor restores what was before. One at a time in a process.
class SignalScope {
 public:
  explicit SignalScope(base::StopToken& stop);
  ~SignalScope();
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;
};

// Makes a write into a closed pipe an error of the write instead of the end of the process.
void ignore_broken_pipes();

}  // namespace convoy::app
