// How a training run comes along, for the person who watches it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "convoy/base/clock.h"
#include "convoy/report/terminal.h"

namespace convoy::report {

// One update step, just done.
struct ProgressStep {
  std::int64_t step = 0;   // done, 1 after the first
  std::int64_t epoch = 0;  // from 0
  double loss = 0;
  double learning_rate = 0;
  std::int64_t images = 0;  // of this step
  double seconds = 0;       // of this step
};

struct ProgressConfig {
  std::int64_t first_step = 0;  // of this process: > 0 when resumed
  std::int64_t total_steps = 1;
  std::int64_t epochs = 1;
  Terminal terminal;
  double redraw_seconds = 0.1;  // least time between two drawings, on a terminal
  double line_seconds = 5;      // time between two lines, elsewhere
};

// Shows epoch, step, images per second, loss, learning rate and the time left: as a bar that is drawn again
// in place on a terminal, as a line now and then elsewhere. The rate is that of the last second or more of
// training steps; the time left counts pauses (evaluation, checkpoints) as they have come so far. The loss is
// the mean since the last drawing. Thread-safe.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void step(const ProgressStep& step) = 0;
  // Prints a whole line of other text: clears the bar first and draws it again below.
  virtual void print(std::string_view line) = 0;
  // Clears the bar; the next step draws it again. The destructor does it too.
  virtual void clear() = 0;
};

// A bar of `width` columns.
std::string progress_bar(double share, int width, bool colours);

// `clock` must outlive it. `write` gets the bytes for stderr.
std::unique_ptr<Progress> make_progress(const ProgressConfig& config, const base::Clock& clock,
                                        std::function<void(std::string_view)> write);

}  // namespace convoy::report
