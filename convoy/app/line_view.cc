#include "convoy/app/line_view.h"

#include <ostream>

#include "convoy/report/text.h"

namespace convoy::app {
namespace {

constexpr double kLineSeconds = 5, kRedrawSeconds = 0.1;

}  // namespace

void LineView::clear() {
  if (!drawn_) return;
  session_.err << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

void LineView::show(double now, const std::string& line) {
  const bool redraws = session_.err_terminal.redraws;
  if (last_ >= 0 && now - last_ < (redraws ? kRedrawSeconds : kLineSeconds)) return;
  last_ = now;
  if (redraws) {
    session_.err << "\r\x1b[K" << report::clip(line, session_.err_terminal.width - 1) << std::flush;
    drawn_ = true;
  } else {
    session_.err << "convoy: " << line << "\n" << std::flush;
  }
}

}  // namespace convoy::app
