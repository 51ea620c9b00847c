#include "convoy/data/loader.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

#include "convoy/base/check.h"
#include "convoy/base/clock.h"
#include "convoy/base/error.h"
#include "convoy/data/batch_maker.h"

namespace convoy::data {
namespace {

constexpr std::int64_t kNone = -1;

// The first step that may not be asked for.
std::int64_t end_step(const BatchMaker& maker, const LoaderConfig& config) {
  return config.one_epoch ? maker.steps_per_epoch() : std::numeric_limits<std::int64_t>::max();
}

class SynchronousLoader final : public BatchSource {
 public:
  SynchronousLoader(std::shared_ptr<const Dataset> dataset, const LoaderConfig& config)
      : maker_(std::move(dataset), config),
        end_(end_step(maker_, config)),
        buffer_(maker_.make_buffer()),
        scratch_(maker_.make_scratch()),
        clock_(base::make_steady_clock()) {}

  tensor::Batch batch(std::int64_t step) override {
    CONVOY_CHECK(step >= 0 && step < end_, "step ", step, " of ", end_);
    const double begin = clock_->now();
    if (step != held_) {
      held_ = kNone;
      maker_.make(step, buffer_, scratch_, std::stop_token());
      held_ = step;
    }
    wait_seconds_ += clock_->now() - begin;
    return buffer_.batch;
  }

  std::int64_t steps_per_epoch() const override { return maker_.steps_per_epoch(); }
  const DatasetInfo& info() const override { return maker_.info(); }
  double wait_seconds() const override { return wait_seconds_; }

 private:
  BatchMaker maker_;
  std::int64_t end_;
  BatchBuffer buffer_;
  BatchScratch scratch_;
  std::unique_ptr<base::Clock> clock_;
  std::int64_t held_ = kNone;  // the step that buffer_ holds
  double wait_seconds_ = 0;
};

// Workers claim steps in order and make each in the ring's slot step % slots. A step may be claimed while it
// is less than `slots` ahead of `first_`, the step in use, so that a slot is free when it is claimed.
class PrefetchingLoader final : public BatchSource {
 public:
  PrefetchingLoader(std::shared_ptr<const Dataset> dataset, const LoaderConfig& config)
      : maker_(std::move(dataset), config),
        end_(end_step(maker_, config)),
        timeout_(config.timeout_seconds),
        clock_(base::make_steady_clock()),
        slots_(static_cast<std::size_t>(config.prefetch_batches) + 1) {
    for (Slot& slot : slots_) slot.buffer = maker_.make_buffer();
    for (int i = 0; i < config.workers; ++i)
      workers_.emplace_back([this, scratch = maker_.make_scratch()](const std::stop_token& stop) mutable {
        work(stop, scratch);
      });
  }

  ~PrefetchingLoader() override {
    for (std::jthread& worker : workers_) worker.request_stop();  // all at once, before the first join
  }

  tensor::Batch batch(std::int64_t step) override {
    CONVOY_CHECK(step >= 0 && step < end_, "step ", step, " of ", end_);
    const double begin = clock_->now();
    std::unique_lock lock(mutex_);
    const bool arrived = take(step, lock);
    wait_seconds_ += clock_->now() - begin;
    Slot& slot = slot_of(step);
    if (!arrived || slot.error) started_ = false;  // whatever comes next starts afresh
    if (!arrived)
      throw base::Error(base::ExitCode::failure,
                        base::str(info().name, ": the batch of step ", step, " did not arrive within ",
                                  timeout_.count(), " s; does the file system that holds the data hang?"));
    if (slot.error) std::rethrow_exception(slot.error);
    return slot.buffer.batch;
  }

  std::int64_t steps_per_epoch() const override { return maker_.steps_per_epoch(); }
  const DatasetInfo& info() const override { return maker_.info(); }
  double wait_seconds() const override { return wait_seconds_; }

 private:
  struct Slot {
    BatchBuffer buffer;
    std::int64_t step = kNone;  // complete for this step
    std::exception_ptr error;
  };

  Slot& slot_of(std::int64_t step) { return slots_[static_cast<std::size_t>(step % std::ssize(slots_))]; }

  // Makes `step` the one in use and waits for it; false after the time-out.
  bool take(std::int64_t step, std::unique_lock<std::mutex>& lock) {
    if (!started_ || (step != first_ && step != first_ + 1)) {
      started_ = false;
      if (!made_.wait_for(lock, timeout_, [this] { return making_ == 0; })) return false;
      for (Slot& slot : slots_) slot.step = kNone;
      next_ = step;
      started_ = true;
    }
    first_ = step;
    claimable_.notify_all();
    return made_.wait_for(lock, timeout_, [&] { return slot_of(step).step == step; });
  }

  bool can_claim() const { return started_ && next_ < end_ && next_ < first_ + std::ssize(slots_); }

  void work(const std::stop_token& stop, BatchScratch& scratch) {
    std::unique_lock lock(mutex_);
    while (claimable_.wait(lock, stop, [this] { return can_claim(); }) && !stop.stop_requested()) {
      const std::int64_t step = next_++;
      Slot& slot = slot_of(step);
      slot.step = kNone;
      slot.error = nullptr;
      ++making_;
      lock.unlock();
      std::exception_ptr error;
      bool complete = true;
      try {
        complete = maker_.make(step, slot.buffer, scratch, stop);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      --making_;
      if (complete) slot.step = step;
      slot.error = std::move(error);
      made_.notify_all();
    }
  }

  BatchMaker maker_;
  std::int64_t end_;
  std::chrono::duration<double> timeout_;
  std::unique_ptr<base::Clock> clock_;
  double wait_seconds_ = 0;  // the caller's alone

  std::mutex mutex_;  // guards what follows; a slot's buffer belongs to its maker, then to the caller
  std::condition_variable_any claimable_;
  std::condition_variable made_;
  std::vector<Slot> slots_;
  bool started_ = false;
  std::int64_t first_ = kNone;  // in use; none earlier is needed
  std::int64_t next_ = 0;       // to be claimed
  int making_ = 0;
  std::vector<std::jthread> workers_;  // last: joined before the rest goes
};

}  // namespace

std::unique_ptr<BatchSource> make_loader(std::shared_ptr<const Dataset> dataset, const LoaderConfig& config) {
  CONVOY_CHECK(dataset != nullptr);
  if (const base::Verdict verdict = BatchMaker::check(dataset->info(), config); !verdict)
    throw base::UsageError(verdict.reason().text);
  if (config.workers == 0) return std::make_unique<SynchronousLoader>(std::move(dataset), config);
  return std::make_unique<PrefetchingLoader>(std::move(dataset), config);
}

std::unique_ptr<BatchSource> make_evaluation_source(std::shared_ptr<const Dataset> dataset,
                                                    const LoaderConfig& training) {
  LoaderConfig config = training;
  config.shuffle = false;
  config.keep_last = true;
  config.one_epoch = true;
  config.augment = {};
  return make_loader(std::move(dataset), config);
}

}  // namespace convoy::data
