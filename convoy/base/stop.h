// A request to stop or to checkpoint, raised by a signal handler or a test and read between steps.
#pragma once

#include <atomic>

namespace convoy::base {

// Async-signal-safe: lock-free atomics only.
class StopToken {
 public:
  void request_stop(int signal_number) { signal_.store(signal_number, std::memory_order_relaxed); }
  void request_checkpoint() { checkpoint_.store(true, std::memory_order_relaxed); }

  bool stop_requested() const { return signal_.load(std::memory_order_relaxed) != 0; }
  int signal_number() const { return signal_.load(std::memory_order_relaxed); }
  // True once for each request.
  bool take_checkpoint_request() { return checkpoint_.exchange(false, std::memory_order_relaxed); }

 private:
  std::atomic<int> signal_{0};
  std::atomic<bool> checkpoint_{false};
};

}  // namespace convoy::base
