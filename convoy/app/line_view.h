// One line of progress on the session's `err`.
#pragma once

#include <string>

#include "convoy/app/session.h"

namespace convoy::app {

// A line that is drawn again in place where a person watches; elsewhere a line at the start and one every few
// seconds. Not thread-safe.
class LineView {
 public:
  explicit LineView(Session& session) : session_(session) {}

  // Shows the line, unless another was shown a moment ago. `now` in seconds, from any beginning; not falling.
  void show(double now, const std::string& line);
  // Takes the line away, for other text.
  void clear();

 private:
  Session& session_;
  bool drawn_ = false;
  double last_ = -1;  // seconds at the last line; below 0: none yet
};

}  // namespace convoy::app
