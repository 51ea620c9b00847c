#include "convoy/app/tune_view.h"

#include <fmt/format.h>

#include "convoy/report/text.h"

namespace convoy::app {

void TuneView::show(const tune::TuneProgress& progress, int threads) {
  if (progress.elapsed_seconds < current_) before_ += current_;
  current_ = progress.elapsed_seconds;
  if (progress.what.empty()) return clear();  // the end
  const std::string line = fmt::format("timing kernels {}/{}, {} left: {}, {} thread{}", progress.done + 1,
                                       progress.total, report::duration(progress.remaining_seconds),
                                       progress.what, threads, threads == 1 ? "" : "s");
  line_.show(before_ + current_, line);
}

}  // namespace convoy::app
