#include "convoy/report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "convoy/report/text.h"

namespace convoy::report {
namespace {

constexpr std::string_view kStyle =
    R"(:root { color-scheme: light dark; --page: #fcfcfb; --card: #ffffff; --text: #0b0b0b; --quiet: #52514e;
  --line: #e2e1dc; --right: 42 120 214; --wrong: 217 88 43; }
@media (prefers-color-scheme: dark) { :root { --page: #121211; --card: #1a1a19; --text: #ffffff;
  --quiet: #c3c2b7; --line: #33332f; --right: 76 148 234; --wrong: 239 127 85; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px 24px 64px; max-width: 1120px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0; } h2 { font-size: 17px; margin: 36px 0 12px; }
p { margin: 4px 0; color: var(--quiet); }
.figures { display: flex; flex-wrap: wrap; gap: 12px; margin: 24px 0; }
.figure { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 18px; }
.figure b { display: block; font-size: 22px; } .figure span { color: var(--quiet); font-size: 13px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 12px; }
.charts > div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px; }
.charts svg { width: 100%; height: auto; display: block; }
.charts .c-dot { stroke: var(--card); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { font-weight: 600; text-align: left; } th, td { padding: 4px 12px 4px 0; vertical-align: top; }
.square th, .square td { text-align: right; padding: 5px 9px; min-width: 46px; border: 1px solid var(--line); }
.square .right { background: rgb(var(--right) / calc(0.5 * var(--s))); }
.square .wrong { background: rgb(var(--wrong) / calc(0.1 + 0.5 * var(--s))); }
.square .none { color: var(--quiet); }
.facts td:nth-child(2) { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
.facts td { border-bottom: 1px solid var(--line); } .facts td:nth-child(3) { color: var(--quiet); }
)";

std::string figures(const Page& page) {
  std::string out = "<div class=\"figures\">\n";
  for (const auto& [name, value] : page.figures)
    out += fmt::format("<div class=\"figure\"><b>{}</b><span>{}</span></div>\n", xml_escape(value),
                       xml_escape(name));
  return out + "</div>\n";
}

std::string charts(const Page& page) {
  std::string out = "<div class=\"charts\">\n";
  for (const Chart& chart : page.charts) out += "<div>" + svg(chart, false) + "</div>\n";
  return out + "</div>\n";
}

std::string cell(std::int64_t count, double strength, bool is_right) {
  if (count == 0) return "<td class=\"none\">·</td>";
  return fmt::format("<td class=\"{}\" style=\"--s:{:.3f}\">{}</td>", is_right ? "right" : "wrong",
                     std::clamp(strength, 0.0, 1.0), thousands(count));
}

std::string square(const Confusion& confusion) {
  std::int64_t most = 1;
  for (std::size_t i = 0; i < confusion.counts.size(); ++i)
    for (std::size_t j = 0; j < confusion.counts.size(); ++j)
      if (i != j) most = std::max(most, confusion.counts[i][j]);
  std::string out =
      "<h2>Confusion</h2>\n<p>A row a true class, a column a predicted one. Blue: right; orange: mistakes, "
      "the stronger the more frequent.</p>\n<div class=\"scroll\"><table class=\"square\">\n<tr><th></th>";
  for (std::size_t j = 0; j < confusion.counts.size(); ++j)
    out += fmt::format("<th scope=\"col\">{}</th>", xml_escape(confusion.class_name(j)));
  out += "<th scope=\"col\">recall</th></tr>\n";
  for (std::size_t i = 0; i < confusion.counts.size(); ++i) {
    out += fmt::format("<tr><th scope=\"row\">{}</th>", xml_escape(confusion.class_name(i)));
    for (std::size_t j = 0; j < confusion.counts.size(); ++j) {
      const std::int64_t count = confusion.counts[i][j];
      const double share = static_cast<double>(count) / static_cast<double>(most);
      out += cell(count, i == j ? confusion.recall(i) : std::sqrt(share), i == j);
    }
    out += fmt::format("<td>{}</td></tr>\n", percent(confusion.recall(i), 1));
  }
  return out + "</table></div>\n";
}

std::string facts(const FactList& list) {
  std::string out =
      fmt::format("<h2>{}</h2>\n<div class=\"scroll\"><table class=\"facts\">\n", xml_escape(list.title));
  for (const FactList::Fact& fact : list.facts)
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", xml_escape(fact.name),
                       xml_escape(fact.value), xml_escape(fact.remark));
  return out + "</table></div>\n";
}

}  // namespace

std::string html(const Page& page) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{0}</title>\n"
      "<style>\n{1}{2}</style>\n</head>\n<body>\n<h1>{0}</h1>\n<p>{3}</p>\n",
      xml_escape(page.title), kStyle, chart_style(), xml_escape(page.subtitle));
  if (!page.figures.empty()) out += figures(page);
  if (!page.charts.empty()) out += charts(page);
  if (!page.confusion.counts.empty()) out += square(page.confusion);
  for (const FactList& list : page.lists) out += facts(list);
  return out + "</body>\n</html>\n";
}

}  // namespace convoy::report
