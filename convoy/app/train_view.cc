#include "convoy/app/train_view.h"

#include <fmt/format.h>

#include <cmath>
#include <ostream>

#include "convoy/app/inspect_text.h"
#include "convoy/base/log.h"
#include "convoy/report/text.h"

namespace convoy::app {

using report::percent;
using report::thousands;

std::string model_summary(const run::Prelude& prelude) {
  return fmt::format("{}: {} parameters, {} multiply-accumulates an image", prelude.model,
                     thousands(prelude.parameters), thousands(prelude.macs));
}

TrainView::TrainView(Session& session, bool quiet) : session_(session), quiet_(quiet), tuning_(session) {
  base::set_log_sink([this](base::LogLevel level, const std::string& line) {
    print(fmt::format("convoy: {}{}", level == base::LogLevel::warning ? "warning: " : "", line));
  });
}

TrainView::~TrainView() { base::set_log_sink(nullptr); }

run::RunObserver TrainView::observer() {
  return {.on_tune =
              [this](const tune::TuneProgress& progress, int threads) {
                const std::lock_guard lock(mutex_);
                if (!quiet_) tuning_.show(progress, threads);
              },
          .on_start = [this](const run::Prelude& prelude) { start(prelude); },
          .on_step = [this](const train::StepReport& report) { step(report); },
          .on_epoch = [this](const run::EpochReport& report) { epoch(report); }};
}

std::int64_t TrainView::epochs() const {
  const std::int64_t per_epoch = std::max<std::int64_t>(1, prelude_.steps_per_epoch);
  return (prelude_.total_steps + per_epoch - 1) / per_epoch;
}

void TrainView::start(const run::Prelude& prelude) {
  prelude_ = prelude;
  for (const std::string& note : prelude.notes) print("convoy: " + note);
  if (quiet_) return;
  print("convoy: " + model_summary(prelude));
  print(fmt::format("convoy: {} training and {} test images; {} steps an epoch, {} in all; {} thread{}",
                    thousands(prelude.train_size), thousands(prelude.test_size),
                    thousands(prelude.steps_per_epoch), thousands(prelude.total_steps), prelude.threads,
                    prelude.threads == 1 ? "" : "s"));
  for (const std::string& line : run::algorithm_lines(prelude.algorithms)) print("convoy: " + line);
  if (prelude.recomputation.was_requested()) print("convoy: " + recomputation_line(prelude.recomputation));
  print("convoy: run directory " + prelude.run_directory);
  const std::lock_guard lock(mutex_);
  progress_ =
      report::make_progress({.first_step = prelude.first_step,
                             .total_steps = std::max<std::int64_t>(1, prelude.total_steps),
                             .epochs = epochs(),
                             .terminal = session_.err_terminal},
                            *clock_, [this](std::string_view text) { session_.err << text << std::flush; });
}

void TrainView::step(const train::StepReport& report) {
  if (progress_ == nullptr) return;
  progress_->step({.step = report.step,
                   .epoch = report.epoch,
                   .loss = report.loss,
                   .learning_rate = report.learning_rate,
                   .images = report.samples,
                   .seconds = report.seconds});
}

void TrainView::epoch(const run::EpochReport& report) {
  if (quiet_) return;
  const auto result = [&](double loss, double accuracy) {
    const std::string text = fmt::format("loss {:.4f}", loss);
    return report.has_accuracy ? text + ", accuracy " + percent(accuracy, 2) : text;
  };
  print(fmt::format("epoch {}/{}: training {}; test {}; {} images/s", report.epoch + 1, epochs(),
                    result(report.train_loss, report.train_accuracy),
                    result(report.test_loss, report.test_accuracy),
                    thousands(std::llround(report.images_per_second))));
}

void TrainView::print(const std::string& line) {
  const std::lock_guard lock(mutex_);
  tuning_.clear();
  if (progress_ != nullptr)
    progress_->print(line);
  else
    session_.err << line << "\n" << std::flush;
}

}  // namespace convoy::app
