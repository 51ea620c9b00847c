// Happens-before: which steps of a Program are certain to run before which others.
#pragma once

#include <vector>

#include "convoy/base/result.h"
#include "convoy/plan/program.h"

namespace convoy::plan {

// The partial order that queues and tokens impose on a Program's steps: a step follows the step before it on
// its queue, and every step that signals a token it waits for. Kept as one vector clock a step, so a question
// costs O(1) and the whole O(steps × queues). Immutable.
// Source: Fidge, Timestamps in message-passing systems that preserve the partial ordering (1988).
class Order {
 public:
  // Refuses a token that is negative, signalled twice or waited for but never signalled, and an order with a
  // cycle, which would be a deadlock.
  static base::Result<Order> of(const Program& program);

  // Whether step `a` is certain to have ended when step `b` starts. A step is not before itself.
  bool before(int a, int b) const;
  // Whether one of the two is before the other.
  bool ordered(int a, int b) const { return before(a, b) || before(b, a); }
  // All steps in an order that respects before(); of the steps that may come next, the lowest index does.
  const std::vector<int>& sequence() const { return sequence_; }
  bool single_queue() const { return queue_count_ <= 1; }

 private:
  Order() = default;

  std::size_t queue_count_ = 0;
  std::vector<std::size_t> queue_;  // by step: dense index of its queue
  std::vector<int> position_;       // by step: place within its queue, from 1
  std::vector<int> clock_;  // steps × queues: how many steps of that queue are before, itself included
  std::vector<int> sequence_;
};

}  // namespace convoy::plan
