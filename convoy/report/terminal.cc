#include "convoy/report/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace convoy::report {

Terminal examine_terminal(int descriptor, const std::function<const char*(const char*)>& environment) {
  const auto variable = [&](const char* name) -> std::string_view {
    const char* value = environment(name);
    return value == nullptr ? std::string_view() : value;
  };
  Terminal terminal;
  terminal.redraws = isatty(descriptor) == 1 && !variable("TERM").empty() && variable("TERM") != "dumb";
  terminal.colours = terminal.redraws && variable("NO_COLOR").empty();
  winsize size = {};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    terminal.width = size.ws_col;
  else if (const int columns = std::atoi(std::string(variable("COLUMNS")).c_str()); columns > 0)
    terminal.width = columns < 1000 ? columns : 1000;
  return terminal;
}

}  // namespace convoy::report
