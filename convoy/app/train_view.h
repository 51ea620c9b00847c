// What a person sees of a training run on the session's `err`.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "convoy/app/session.h"
#include "convoy/app/tune_view.h"
#include "convoy/base/clock.h"
#include "convoy/report/progress.h"
#include "convoy/run/training.h"

namespace convoy::app {

// "lenet5: 61,706 parameters, 416,520 multiply-accumulates an image"
std::string model_summary(const run::Prelude& prelude);

// Shows how kernels are timed, the prelude, progress and a line an epoch; log lines pass through it while it
// lives, so that they do not run into the bar. One at a time in a process.
class TrainView {
 public:
  // `quiet`: notes and log lines only.
  TrainView(Session& session, bool quiet);
  ~TrainView();
  TrainView(const TrainView&) = delete;
  TrainView& operator=(const TrainView&) = delete;

  // Calls back into this view, which must outlive it.
  run::RunObserver observer();
  // Of the run that has started.
  const run::Prelude& prelude() const { return prelude_; }

 private:
  void start(const run::Prelude& prelude);
  void step(const train::StepReport& step);
  void epoch(const run::EpochReport& epoch);
  void print(const std::string& line);
  std::int64_t epochs() const;

  Session& session_;
  bool quiet_;
  std::unique_ptr<base::Clock> clock_ = base::make_steady_clock();
  std::mutex mutex_;  // loaders may log while the run starts
  std::unique_ptr<report::Progress> progress_;
  TuneView tuning_;
  run::Prelude prelude_;
};

}  // namespace convoy::app
