// Timed events of one thread of execution, for profiles and Chrome traces.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace convoy::base {

// One span. Times are seconds of the recorder's clock.
struct TraceEvent {
  std::string name;
  // step, evaluate (one call of the objective), kernel, convert, update, data, interpreter, checkpoint,
  // evaluation (a pass over a data set)
  std::string category;
  double begin = 0;
  double end = 0;
  int track = 0;
  std::vector<std::pair<std::string, std::string>> details = {};  // name and text, for people

  double seconds() const { return end - begin; }
};

// Where spans go. Not thread-safe: one recorder a thread.
class TraceRecorder {
 public:
  void record(TraceEvent event) { events_.push_back(std::move(event)); }
  const std::vector<TraceEvent>& events() const { return events_; }
  void clear() { events_.clear(); }

 private:
  std::vector<TraceEvent> events_;
};

// Spans of several tracks. Those of one track nest or follow each other.
struct Timeline {
  std::vector<std::string> tracks;  // names, by TraceEvent::track
  std::vector<TraceEvent> events;   // in any order
};

}  // namespace convoy::base
