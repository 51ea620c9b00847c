#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "convoy/report/confusion.h"
#include "convoy/report/html.h"
#include "convoy/report/progress.h"
#include "convoy/report/svg.h"
#include "convoy/report/table.h"
#include "convoy/report/terminal.h"
#include "convoy/report/text.h"

namespace convoy::report {
namespace {

int occurrences(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

// What is wrong with the nesting of an XML text's elements; empty when nothing is. Knows what svg() and
// html() write: no comments, no CDATA, and void elements closed by "/>".
std::string xml_problem(const std::string& text) {
  std::vector<std::string> open;
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at + 1)) {
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos) return "a tag without an end";
    const std::string tag = text.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos) return "'<' within a tag: " + tag;
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return "an odd number of quotes: " + tag;
    if (tag.starts_with("!DOCTYPE") || tag.ends_with("/")) continue;
    if (tag.starts_with("/")) {
      if (open.empty() || open.back() != tag.substr(1)) return "closes what is not open: " + tag;
      open.pop_back();
    } else {
      open.push_back(tag.substr(0, tag.find_first_of(" \n")));
    }
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

TEST(Text, GroupsDigits) {
  EXPECT_EQ(thousands(0), "0");
  EXPECT_EQ(thousands(999), "999");
  EXPECT_EQ(thousands(1000), "1,000");
  EXPECT_EQ(thousands(61706), "61,706");
  EXPECT_EQ(thousands(-123456), "-123,456");
  EXPECT_EQ(thousands(-1234567), "-1,234,567");
  EXPECT_EQ(thousands(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Text, ScalesSizesAndTimes) {
  EXPECT_EQ(memory_size(0), "0 B");
  EXPECT_EQ(memory_size(1000), "1000 B");
  EXPECT_EQ(memory_size(1536), "1.5 KiB");
  EXPECT_EQ(memory_size(12 << 20), "12 MiB");
  EXPECT_EQ(memory_size(std::int64_t{5} << 50), "5120 TiB");
  EXPECT_EQ(compact(416520), "417 k");
  EXPECT_EQ(compact(1.25e9), "1.2 G");
  EXPECT_EQ(duration(0.000012), "12 µs");
  EXPECT_EQ(duration(0.42), "420 ms");
  EXPECT_EQ(duration(0.9999), "1.0 s");
  EXPECT_EQ(duration(4.21), "4.2 s");
  EXPECT_EQ(duration(42), "42 s");
  EXPECT_EQ(duration(59.7), "1m00s");
  EXPECT_EQ(duration(65), "1m05s");
  EXPECT_EQ(duration(3599.6), "1h00m");
  EXPECT_EQ(duration(7380), "2h03m");
  EXPECT_EQ(duration(100000), "1d03h");
  EXPECT_EQ(duration(NAN), "?");
  EXPECT_EQ(duration(1e300), "years");
  EXPECT_EQ(percent(0.99121, 2), "99.12 %");
  EXPECT_EQ(significant(0.012345, 3), "0.0123");
}

TEST(Text, MeasuresUtf8) {
  EXPECT_EQ(display_width("abc"), 3);
  EXPECT_EQ(display_width("∇W"), 2);
  EXPECT_EQ(display_width("e\xcc\x81"), 1);     // e and a combining acute
  EXPECT_EQ(display_width("\xe6\xbc\xa2"), 2);  // a Han character
  EXPECT_EQ(display_width("\xff\xe2\x82"), 3);  // no UTF-8: a column a byte
  EXPECT_EQ(clip("∇∇∇", 2), "∇∇");
  EXPECT_EQ(clip("\xe6\xbc\xa2x", 1), "");
  EXPECT_EQ(pad("µ", 3, true), "  µ");
  EXPECT_EQ(pad("long", 2, false), "long");
  EXPECT_EQ(xml_escape("<a & \"b\" 'c'>\x01\xff"),
            "&lt;a &amp; &quot;b&quot; &#39;c&#39;&gt;\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(Tables, Align) {
  Table table({{"layer"}, {"parameters", Align::right}, {"µ"}});
  table.add({"conv1", "156", "x"});
  table.add_rule();
  table.add({"∇", "61,706", ""});
  EXPECT_EQ(table.str(),
            "layer  parameters  µ\n"
            "────────────────────\n"
            "conv1         156  x\n"
            "────────────────────\n"
            "∇          61,706\n");
  EXPECT_EQ(Table({{""}, {""}}).str(), "");
  EXPECT_DEATH(table.add({"too few"}), "1 cells for 3 columns");
}

class ProgressTest : public testing::Test {
 protected:
  void make(ProgressConfig config) {
    progress_ = make_progress(config, clock_, [this](std::string_view text) { out_ += text; });
  }
  // One step of 64 images that takes `seconds`.
  void step(std::int64_t number, double seconds) {
    clock_.advance(seconds);
    progress_->step(
        {.step = number, .epoch = 0, .loss = 0.5, .learning_rate = 0.05, .images = 64, .seconds = seconds});
  }

  base::VirtualClock clock_;
  std::string out_;
  std::unique_ptr<Progress> progress_;  // writes to out_ when it ends
};

TEST_F(ProgressTest, PrintsALineNowAndThenWithoutATerminal) {
  make({.total_steps = 1000, .epochs = 10, .terminal = {.redraws = false}, .line_seconds = 5});
  for (int i = 1; i <= 90; ++i) step(i, 0.125);  // a binary fraction: sums are exact
  EXPECT_EQ(occurrences(out_, "\n"), 2);
  EXPECT_EQ(out_.find('\r'), std::string::npos);
  EXPECT_EQ(out_.find('\x1b'), std::string::npos);
  const std::string first = out_.substr(0, out_.find('\n'));
  EXPECT_TRUE(first.starts_with("epoch 1/10  step   40")) << first;
  for (const char* part : {"/1000", "512 images/s", "loss 0.5", "lr 0.05", "ETA 2m00s"})
    ASSERT_NE(first.find(part), std::string::npos) << part << " in " << first;
}

TEST_F(ProgressTest, ShowsTheLastStep) {
  make({.total_steps = 3, .terminal = {.redraws = false}});
  for (int i = 1; i <= 3; ++i) step(i, 0.001);
  EXPECT_EQ(occurrences(out_, "\n"), 1);
  EXPECT_NE(out_.find("step 3/3"), std::string::npos) << out_;
}

TEST_F(ProgressTest, RedrawsAtMostTenTimesASecond) {
  make({.total_steps = 100000, .terminal = {.redraws = true, .colours = false, .width = 120}});
  for (int i = 1; i <= 3000; ++i) step(i, 0.001);
  EXPECT_GT(occurrences(out_, "\r"), 20);
  EXPECT_LE(occurrences(out_, "\r"), 30);
  EXPECT_EQ(occurrences(out_, "\n"), 0);
  EXPECT_NE(out_.find("64,000 images/s"), std::string::npos);
}

TEST_F(ProgressTest, FitsTheTerminal) {
  for (const int width : {20, 40, 80, 100, 120, 200}) {
    out_.clear();
    make({.total_steps = 10, .terminal = {.redraws = true, .colours = false, .width = width}});
    step(5, 1);
    std::string line = out_.substr(1, out_.size() - 1 - 3);  // without "\r" and "\x1b[K"
    EXPECT_LT(display_width(line), width) << line;
    EXPECT_EQ(line.find("█") != std::string::npos, width >= 100) << line;
    progress_.reset();
  }
}

TEST_F(ProgressTest, ColoursOnlyWhereAllowed) {
  make({.total_steps = 10, .terminal = {.redraws = true, .colours = true, .width = 120}});
  step(5, 1);
  EXPECT_NE(out_.find("\x1b[36m"), std::string::npos);
  progress_.reset();
  out_.clear();
  make({.total_steps = 10, .terminal = {.redraws = true, .colours = false, .width = 120}});
  step(5, 1);
  EXPECT_EQ(out_.find("m█"), std::string::npos);
}

TEST_F(ProgressTest, OtherLinesGoAboveTheBar) {
  make({.total_steps = 10, .terminal = {.redraws = true, .colours = false, .width = 120}});
  step(5, 1);
  out_.clear();
  progress_->print("epoch 1 done");
  EXPECT_TRUE(out_.starts_with("\r\x1b[Kepoch 1 done\n\repoch 1/1")) << out_;
  out_.clear();
  progress_->clear();
  EXPECT_EQ(out_, "\r\x1b[K");
  out_.clear();
  progress_->print("alone");
  EXPECT_EQ(out_, "alone\n");
  progress_.reset();
  EXPECT_EQ(out_, "alone\n");
}

TEST_F(ProgressTest, CountsFromAResumedStep) {
  make({.first_step = 900, .total_steps = 1000, .terminal = {.redraws = false}});
  for (int i = 901; i <= 950; ++i) step(i, 0.125);
  EXPECT_NE(out_.find("ETA 7.5 s"), std::string::npos) << out_;
}

TEST(Terminals, AFileIsNone) {
  const auto environment = [](const char* name) -> const char* {
    return std::string_view(name) == "COLUMNS" ? "132" : std::string_view(name) == "TERM" ? "xterm" : nullptr;
  };
  const Terminal terminal = examine_terminal(-1, environment);
  EXPECT_FALSE(terminal.redraws);
  EXPECT_FALSE(terminal.colours);
  EXPECT_EQ(terminal.width, 132);
}

Confusion three() { return {{{98, 2, 0}, {0, 50, 0}, {1000, 0, 3000}}, {"zero", "one", "two"}}; }

TEST(ConfusionTable, ShowsCountsAndRecall) {
  EXPECT_EQ(print(three(), false),
            "        zero   one   two   recall\n"
            "zero      98     2     ·   98.0 %\n"
            " one       ·    50     ·  100.0 %\n"
            " two   1,000     · 3,000   75.0 %\n");
  EXPECT_EQ(print({}, false), "");
  EXPECT_EQ(print({{{0}}, {}}, false).substr(0, 4), "    ");
}

TEST(ConfusionTable, ShadesWithColours) {
  const std::string text = print(three(), true);
  EXPECT_NE(text.find("\x1b[48;5;160m"), std::string::npos);  // the most frequent mistake
  EXPECT_NE(text.find("\x1b[48;5;40m"), std::string::npos);   // a recall of 1
  EXPECT_EQ(occurrences(text, "\x1b[0m"), 5);
  EXPECT_EQ(print(three(), false).find('\x1b'), std::string::npos);
}

TEST(ConfusionTable, ListsManyClasses) {
  Confusion many;
  many.counts.assign(100, std::vector<std::int64_t>(100, 0));
  for (std::size_t i = 0; i < 100; ++i) many.counts[i][i] = 10;
  many.counts[7][70] = 5;
  const std::string text = print(many, false);
  EXPECT_EQ(occurrences(text, "\n"), 102);
  EXPECT_NE(text.find("70 (5)"), std::string::npos);
}

TEST(Charts, TicksAreRound) {
  EXPECT_EQ(nice_ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(nice_ticks(0, 1, 2), (std::vector<double>{0, 0.5, 1}));
  EXPECT_EQ(nice_ticks(-1, 1, 4), (std::vector<double>{-1, -0.5, 0, 0.5, 1}));
  const std::vector<double> narrow = nice_ticks(0.981, 0.9935, 5);
  ASSERT_GE(narrow.size(), 3u);
  for (const double tick : narrow) {
    EXPECT_GE(tick, 0.981);
    EXPECT_LE(tick, 0.9935);
  }
}

Chart loss_chart() {
  Chart chart{.title = "Loss <&>", .x_label = "epoch", .y_label = "loss", .series = {}};
  chart.series = {{"training", {{1, 0.5}, {2, NAN}, {3, 0.1}}}, {"test", {{1, 0.4}, {3, 0.2}}}};
  return chart;
}

TEST(Charts, AreWellFormed) {
  for (const bool with_style : {false, true}) {
    const std::string text = svg(loss_chart(), with_style);
    EXPECT_EQ(xml_problem(text), "");
    EXPECT_EQ(text.find("nan"), std::string::npos);
    EXPECT_EQ(text.find("inf"), std::string::npos);
    EXPECT_NE(text.find("Loss &lt;&amp;&gt;"), std::string::npos);
    EXPECT_EQ(occurrences(text, "<circle"), 4);
    EXPECT_EQ(occurrences(text, "<style>"), with_style ? 1 : 0);
  }
}

TEST(Charts, SurviveAwkwardData) {
  Chart chart = loss_chart();
  for (const std::vector<Point>& points : {std::vector<Point>{},
                                           {{0, 0}},
                                           {{1, NAN}},
                                           {{1, INFINITY}},
                                           {{1, 1e-300}, {2, 1e300}},
                                           {{5, -1}, {5, -1}}})
    for (const bool y_log : {false, true}) {
      chart.series = {{"a", points}};
      chart.y_log = y_log;
      const std::string text = svg(chart, true);
      EXPECT_EQ(xml_problem(text), "");
      EXPECT_EQ(text.find("nan"), std::string::npos);
    }
}

TEST(Charts, EpochsHaveWholeTicks) {
  Chart chart{.title = "", .x_label = "epoch", .y_label = "", .series = {{"a", {{1, 21000}, {3, 24100}}}}};
  EXPECT_NE(svg(chart, false).find(">1.2<"), std::string::npos);
  chart.x_whole = true;
  EXPECT_EQ(svg(chart, false).find(">1.2<"), std::string::npos);
  EXPECT_NE(svg(chart, false).find(">2<"), std::string::npos);
  EXPECT_NE(svg(chart, false).find(">24,100<"), std::string::npos);
}

TEST(Charts, LinesGoWhereTheDataSays) {
  Chart chart{.title = "", .x_label = "", .y_label = "", .series = {{"a", {{0, 0}, {10, 1}}}}};
  const std::string text = svg(chart, false);
  // From the lower left corner of the plot to its right border, 5 % below its top.
  EXPECT_NE(text.find("d=\"M58.0 276.0L566.0 55.0\""), std::string::npos) << text;
}

TEST(Charts, ManyLinesAreToldApart) {
  Chart chart{.title = "t", .x_label = "k", .y_label = "ms", .series = {}, .y_log = true, .width = 400};
  for (int i = 0; i < kMaxSeries; ++i)
    chart.series.push_back({"algorithm " + std::to_string(i), {{3, 1.0 + i}, {9, 2.0 + i}}});
  chart.series[4].points.pop_back();
  chart.x_ticks = {3, 7, 9, 99};
  const std::string text = svg(chart, true);
  EXPECT_EQ(xml_problem(text), "");
  // Three of each colour, one dashed and one dotted: a line in the legend and one in the plot.
  EXPECT_EQ(occurrences(text, "class=\"c-line c-6\""), 2);
  EXPECT_EQ(occurrences(text, "class=\"c-line c-6 c-dashed\""), 2);
  EXPECT_EQ(occurrences(text, "class=\"c-line c-6 c-dashed c-dotted\""), 2);
  EXPECT_EQ(occurrences(text, "class=\"c-end\""), kMaxSeries - 1);
  EXPECT_NE(text.find(">7</text>"), std::string::npos);
  EXPECT_EQ(text.find(">99</text>"), std::string::npos);  // beyond the data
  // The legend needs several lines, and the plot begins below them.
  EXPECT_NE(text.find("y=\"62.0\" class=\"c-label\""), std::string::npos);
  EXPECT_NE(text.find("y=\"80.0\" class=\"c-label\""), std::string::npos);
}

TEST(Charts, PanelsStandBelowEachOther) {
  Chart wide = loss_chart();
  wide.width = 900;
  const std::string text = svg_panels({loss_chart(), wide});
  EXPECT_EQ(xml_problem(text), "");
  EXPECT_EQ(occurrences(text, "<svg"), 3);
  EXPECT_EQ(occurrences(text, "<style>"), 1);
  EXPECT_NE(text.find("width=\"900\" height=\"640\""), std::string::npos);
  EXPECT_EQ(occurrences(text, " y=\"320\" role"), 1);
}

// The checker above must notice.
TEST(Charts, AWellFormednessMistakeIsSeen) {
  EXPECT_NE(xml_problem("<svg><g></svg>"), "");
  EXPECT_NE(xml_problem("<svg>"), "");
  EXPECT_NE(xml_problem("<svg a=\"b></svg>"), "");
  EXPECT_NE(xml_problem("<svg"), "");
}

TEST(HtmlPage, IsSelfContainedAndEscaped) {
  Page page;
  page.title = "lenet5 on <mnist>";
  page.subtitle = "1 & 2";
  page.figures = {{"test accuracy", "99.12 %"}};
  page.charts = {loss_chart(), loss_chart()};
  page.confusion = three();
  page.lists = {{"Settings", {{"epochs", "10", "flag"}, {"output", "<script>alert(1)</script>", ""}}}};
  const std::string text = html(page);
  EXPECT_EQ(xml_problem(text), "");
  EXPECT_EQ(text.find("<script"), std::string::npos);
  EXPECT_EQ(occurrences(text, "http"), 2);  // the namespace of each SVG
  EXPECT_EQ(occurrences(text, "<svg"), 2);
  EXPECT_NE(text.find("1,000"), std::string::npos);
  EXPECT_EQ(occurrences(html({}), "<h2>"), 0);
}

}  // namespace
}  // namespace convoy::report
