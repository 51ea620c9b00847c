// How the timing of kernels comes along, on the session's `err`.
#pragma once

#include "convoy/app/session.h"
#include "convoy/tune/tuner.h"

namespace convoy::app {

// One line that is drawn again in place where a person watches; elsewhere a line at the start and one every
// few seconds. Not thread-safe.
class TuneView {
 public:
  explicit TuneView(Session& session) : session_(session) {}

  void show(const tune::TuneProgress& progress, int threads);
  // Takes the line away, for other text.
  void clear();

 private:
  Session& session_;
  bool drawn_ = false;
  double last_ = -1;    // elapsed seconds at the last line; below 0: none yet
  double before_ = 0;   // of teams that are done
  double current_ = 0;  // of this one
};

}  // namespace convoy::app
