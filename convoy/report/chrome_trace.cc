#include "convoy/report/chrome_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"

namespace convoy::report {
namespace {

using base::TraceEvent;

constexpr std::size_t kBlock_bytes = 1 << 16;

std::string quoted(const std::string& text) { return io::Json(text).dump(); }

// Indices of the events in the order in which they are written.
std::vector<std::size_t> write_order(const std::vector<TraceEvent>& events) {
  std::vector<std::size_t> order(events.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t k) {
    const TraceEvent &a = events[i], &b = events[k];
    if (a.track != b.track) return a.track < b.track;
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  return order;
}

class Writer {
 public:
  Writer(const std::string& path, const base::Timeline& timeline, const TraceHead& head)
      : file_(path), timeline_(timeline), head_(head) {
    for (const TraceEvent& event : timeline.events)
      if (&event == timeline.events.data() || event.begin < origin_) origin_ = event.begin;
  }

  void run() {
    text_ = "{\"traceEvents\": [\n";
    name("process_name", 0, head_.process);
    for (std::size_t track = 0; track < timeline_.tracks.size(); ++track)
      name("thread_name", static_cast<int>(track), timeline_.tracks[track]);
    for (const std::size_t i : write_order(timeline_.events)) span(timeline_.events[i]);
    text_ += "\n],\n\"displayTimeUnit\": \"ms\"";
    if (!head_.about.is_null()) text_ += ",\n\"otherData\": " + head_.about.dump();
    text_ += "}\n";
    file_.write(text_);
    file_.commit();
  }

 private:
  template <class... Args>
  void append(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }

  void begin_event() {
    if (!first_) text_ += ",\n";
    first_ = false;
  }

  void name(const char* what, int track, const std::string& value) {
    begin_event();
    append(R"({{"ph": "M", "name": "{}", "pid": {}, "tid": {}, "args": {{"name": {}}}}})", what, head_.rank,
           track, quoted(value));
  }

  void span(const TraceEvent& event) {
    begin_event();
    append(R"({{"ph": "X", "name": {}, "cat": {}, "pid": {}, "tid": {}, "ts": {:.3f}, "dur": {:.3f})",
           quoted(event.name), quoted(event.category), head_.rank, event.track, microseconds(event.begin),
           1e6 * std::max(0.0, event.seconds()));
    const char* separator = R"(, "args": {)";
    for (const auto& [key, value] : event.details) {
      append("{}{}: {}", separator, quoted(key), quoted(value));
      separator = ", ";
    }
    text_ += event.details.empty() ? "}" : "}}";
    if (text_.size() < kBlock_bytes) return;
    file_.write(text_);
    text_.clear();
  }

  double microseconds(double seconds) const { return 1e6 * (seconds - origin_); }

  io::AtomicFile file_;
  const base::Timeline& timeline_;
  const TraceHead& head_;
  double origin_ = 0;
  std::string text_;  // not written yet
  bool first_ = true;
};

}  // namespace

void write_chrome_trace(const std::string& path, const base::Timeline& timeline, const TraceHead& head) {
  for (const TraceEvent& event : timeline.events)
    CONVOY_CHECK(event.track >= 0 && event.track < std::ssize(timeline.tracks), "track ", event.track, " of ",
                 timeline.tracks.size());
  io::make_directories(io::parent_directory(path));
  Writer(path, timeline, head).run();
}

}  // namespace convoy::report
