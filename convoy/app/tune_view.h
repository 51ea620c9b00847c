// How the timing of kernels comes along, on the session's `err`.
#pragma once

#include "convoy/app/line_view.h"
#include "convoy/app/session.h"
#include "convoy/tune/tuner.h"

namespace convoy::app {

// Not thread-safe.
class TuneView {
 public:
  explicit TuneView(Session& session) : line_(session) {}

  void show(const tune::TuneProgress& progress, int threads);
  // Takes the line away, for other text.
  void clear() { line_.clear(); }

 private:
  LineView line_;
  double before_ = 0;   // of teams that are done
  double current_ = 0;  // of this one
};

}  // namespace convoy::app
