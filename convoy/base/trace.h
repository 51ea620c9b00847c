// Timed events of one thread of execution, for profiles and Chrome traces.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoy::base {

// One span. Times are seconds of the recorder's clock.
struct TraceEvent {
  std::string name;
  std::string category;  // kernel | convert | update | data | interpreter | checkpoint
  double begin = 0;
  double end = 0;
  int track = 0;
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

}  // namespace convoy::base
