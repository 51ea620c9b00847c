#include "convoy/report/chrome_trace.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "convoy/base/error.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::report {
namespace {

base::Timeline small_timeline() {
  return {.tracks = {"training thread", "compute team"},
          .events = {{.name = "conv1 forward",
                      .category = "kernel",
                      .begin = 100.00002,
                      .end = 100.00005,
                      .track = 1,
                      .details = {{"algorithm", "winograd:f4"}, {"shape", "64x1 -> 64x6"}}},
                     {.name = "evaluate", .category = "kernel", .begin = 100, .end = 100.0001},
                     {.name = "step 11", .category = "step", .begin = 100, .end = 100.0002}}};
}

io::Json written(const base::Timeline& timeline, const TraceHead& head) {
  const io::TemporaryDirectory directory;
  const std::string path = directory.file("trace/step-000000011.json");
  write_chrome_trace(path, timeline, head);
  return io::read_json(path);
}

TEST(ChromeTrace, NamesTracksAndKeepsSpans) {
  const io::Json json = written(
      small_timeline(), {.process = "convoy train", .rank = 3, .about = io::Json::object({{"batch", 64}})});
  const io::Json::Array& events = io::require_array(json, "traceEvents", "trace");
  ASSERT_EQ(events.size(), 6u);
  const auto text = [&](std::size_t i, const char* name) {
    return io::require_string(events[i], name, "trace");
  };
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(text(i, "ph"), i < 3 ? "M" : "X");
    EXPECT_EQ(io::require_int64(events[i], "pid", "trace"), 3);
  }
  EXPECT_EQ(io::require_string(*events[0].find("args"), "name", "trace"), "convoy train");
  EXPECT_EQ(io::require_string(*events[2].find("args"), "name", "trace"), "compute team");
  EXPECT_EQ(text(3, "name"), "step 11") << "an enclosing span comes first";
  EXPECT_EQ(text(4, "name"), "evaluate");
  EXPECT_EQ(text(5, "cat"), "kernel");
  EXPECT_NEAR(io::require_double(events[5], "ts", "trace"), 20, 1e-3);
  EXPECT_NEAR(io::require_double(events[5], "dur", "trace"), 30, 1e-3);
  EXPECT_EQ(io::require_string(*events[5].find("args"), "algorithm", "trace"), "winograd:f4");
  EXPECT_EQ(events[3].find("args"), nullptr);
  EXPECT_EQ(io::require_int64(*json.find("otherData"), "batch", "trace"), 64);
}

TEST(ChromeTrace, AnyTextStaysJson) {
  base::Timeline timeline = small_timeline();
  const std::string awkward = "\"layer\"\\\n\t\x01{}}}%s π";
  timeline.events[0].name = awkward;
  timeline.events[0].details = {{awkward, awkward}};
  timeline.tracks[1] = awkward;
  const io::Json json = written(timeline, {.process = awkward});
  const io::Json& event = io::require_array(json, "traceEvents", "trace").back();
  EXPECT_EQ(io::require_string(event, "name", "trace"), awkward);
  EXPECT_EQ(io::require_string(*event.find("args"), awkward, "trace"), awkward);
  EXPECT_EQ(json.find("otherData"), nullptr);
}

TEST(ChromeTrace, ManySpansAndNoneAreFilesThatRead) {
  base::Timeline timeline{.tracks = {"only"}, .events = {}};
  EXPECT_EQ(io::require_array(written(timeline, {}), "traceEvents", "trace").size(), 2u);
  for (int i = 5000; i-- > 0;)
    timeline.events.push_back(
        {.name = "span", .category = "kernel", .begin = i * 1e-3, .end = i * 1e-3 + 1e-4});
  const io::Json json = written(timeline, {});
  const io::Json::Array& events = io::require_array(json, "traceEvents", "trace");
  ASSERT_EQ(events.size(), 5002u);
  for (std::size_t i = 2; i < events.size(); ++i)
    EXPECT_NEAR(io::require_double(events[i], "ts", "trace"), 1e3 * static_cast<double>(i - 2), 1e-3);
}

TEST(ChromeTrace, APlaceThatCannotBeWrittenLeavesNothing) {
  const io::TemporaryDirectory directory;
  io::write_file_atomically(directory.file("trace"), "a file in the way");
  EXPECT_THROW(write_chrome_trace(directory.file("trace/a.json"), small_timeline(), {}), base::FileError);
  EXPECT_EQ(io::read_file(directory.file("trace")), "a file in the way");
}

}  // namespace
}  // namespace convoy::report
