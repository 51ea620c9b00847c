#include "convoy/app/tune_view.h"

#include <fmt/format.h>

#include <ostream>

#include "convoy/report/text.h"

namespace convoy::app {
namespace {

constexpr double kLineSeconds = 5, kRedrawSeconds = 0.1;

}  // namespace

void TuneView::clear() {
  if (!drawn_) return;
  session_.err << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

void TuneView::show(const tune::TuneProgress& progress, int threads) {
  if (progress.elapsed_seconds < current_) before_ += current_;
  current_ = progress.elapsed_seconds;
  const double now = before_ + current_;
  const bool is_end = progress.what.empty();
  if (is_end) return clear();
  const bool redraws = session_.err_terminal.redraws;
  if (last_ >= 0 && now - last_ < (redraws ? kRedrawSeconds : kLineSeconds)) return;
  last_ = now;
  const std::string line = fmt::format("timing kernels {}/{}, {} left: {}, {} thread{}", progress.done + 1,
                                       progress.total, report::duration(progress.remaining_seconds),
                                       progress.what, threads, threads == 1 ? "" : "s");
  if (redraws) {
    session_.err << "\r\x1b[K" << report::clip(line, session_.err_terminal.width - 1) << std::flush;
    drawn_ = true;
  } else {
    session_.err << "convoy: " << line << "\n" << std::flush;
  }
}

}  // namespace convoy::app
