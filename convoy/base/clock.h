// Time as a collaborator, so that whatever waits or measures can be replayed in virtual time.
#pragma once

#include <cstdint>
#include <memory>

namespace convoy::base {

// Monotonic seconds since an arbitrary origin. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual double now() const = 0;
};

// The machine's steady clock.
std::unique_ptr<Clock> make_steady_clock();

// A clock that stands still until `advance` is called.
class VirtualClock final : public Clock {
 public:
  double now() const override { return now_; }
  void advance(double seconds) { now_ += seconds; }

 private:
  double now_ = 0;
};

}  // namespace convoy::base
