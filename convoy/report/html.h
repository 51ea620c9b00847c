// The report of a run as one HTML page.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "convoy/report/confusion.h"
#include "convoy/report/svg.h"

namespace convoy::report {

// A two-column list, "name: value", each with an optional remark.
struct FactList {
  struct Fact {
    std::string name;
    std::string value;
    std::string remark;
  };
  std::string title;
  std::vector<Fact> facts;
};

struct Page {
  std::string title;                                         // "lenet5 on mnist"
  std::string subtitle;                                      // one line under it
  std::vector<std::pair<std::string, std::string>> figures;  // shown large: {"test accuracy", "99.12 %"}
  std::vector<Chart> charts;
  Confusion confusion;          // may be empty
  std::vector<FactList> lists;  // settings, environment
};

// Self-contained: no script, no file and no network. Follows the reader's light or dark scheme.
std::string html(const Page& page);

}  // namespace convoy::report
