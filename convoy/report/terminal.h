// What may be sent to a stream: colours, and lines that are drawn again in place.
#pragma once

#include <functional>

namespace convoy::report {

struct Terminal {
  bool redraws = false;  // a person watches, and the cursor can go back
  bool colours = false;  // as `redraws`, unless NO_COLOR is set
  int width = 80;        // columns
};

// Looks at a file descriptor and at TERM, NO_COLOR and COLUMNS. A terminal of type "dumb" does not redraw.
Terminal examine_terminal(int descriptor, const std::function<const char*(const char*)>& environment);

}  // namespace convoy::report
