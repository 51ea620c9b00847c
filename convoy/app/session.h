// What a command has of the world around it.
#pragma once

#include <functional>
#include <iosfwd>

#include "convoy/base/stop.h"
#include "convoy/report/terminal.h"

namespace convoy::app {

struct Session {
  std::ostream& out;  // results
  std::ostream& err;  // progress, logs, mistakes
  report::Terminal out_terminal;
  report::Terminal err_terminal;
  std::function<const char*(const char*)> environment;
  base::StopToken& stop;
  // Whether INT, TERM and USR1 of this process are meant for the session.
  bool handles_signals = false;
};

}  // namespace convoy::app
