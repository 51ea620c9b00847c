#include "convoy/plan/order.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>

#include "convoy/plan/verify_checks.h"

namespace convoy::plan {
namespace {

// Direct predecessors of every step: on its queue, and through the tokens it waits for.
using Edges = std::vector<std::vector<int>>;

base::Result<Edges> predecessors(const Program& program) {
  const int count = static_cast<int>(program.steps.size());
  std::map<int, int> signaller;  // token → step
  for (int i = 0; i < count; ++i) {
    const int token = program.steps[static_cast<std::size_t>(i)].signals;
    if (token < -1)
      return base::Reason{base::str(describe_step(program, i), ": token ", token, " is negative")};
    if (token < 0) continue;
    const auto [entry, fresh] = signaller.emplace(token, i);
    if (!fresh)
      return base::Reason{base::str(describe_step(program, i), ": token ", token, " is signalled already by ",
                                    describe_step(program, entry->second))};
  }
  Edges edges(program.steps.size());
  std::map<int, int> last_on_queue;
  for (int i = 0; i < count; ++i) {
    const Step& step = program.steps[static_cast<std::size_t>(i)];
    std::vector<int>& before = edges[static_cast<std::size_t>(i)];
    if (const auto last = last_on_queue.find(step.queue); last != last_on_queue.end())
      before.push_back(last->second);
    last_on_queue[step.queue] = i;
    for (const int token : step.waits) {
      const auto found = signaller.find(token);
      if (found == signaller.end())
        return base::Reason{
            base::str(describe_step(program, i), ": waits for token ", token, ", which nothing signals")};
      before.push_back(found->second);
    }
  }
  return edges;
}

// Steps in an order that respects the edges; shorter than the Program if they have a cycle.
std::vector<int> topological(const Edges& edges) {
  std::vector<std::vector<int>> followers(edges.size());
  std::vector<int> open(edges.size(), 0);
  std::priority_queue<int, std::vector<int>, std::greater<>> free;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    open[i] = static_cast<int>(edges[i].size());
    for (const int before : edges[i])
      followers[static_cast<std::size_t>(before)].push_back(static_cast<int>(i));
    if (open[i] == 0) free.push(static_cast<int>(i));
  }
  std::vector<int> sequence;
  while (!free.empty()) {
    const int step = free.top();
    free.pop();
    sequence.push_back(step);
    for (const int follower : followers[static_cast<std::size_t>(step)])
      if (--open[static_cast<std::size_t>(follower)] == 0) free.push(follower);
  }
  return sequence;
}

// One cycle of the steps that topological() left over, as text. Every such step has a predecessor that is
// left over too, so walking back must meet a step again.
std::string describe_cycle(const Program& program, const Edges& edges, const std::vector<int>& sequence) {
  std::vector<bool> left(edges.size(), true);
  for (const int step : sequence) left[static_cast<std::size_t>(step)] = false;
  int step = static_cast<int>(std::find(left.begin(), left.end(), true) - left.begin());
  std::vector<int> path;
  while (std::find(path.begin(), path.end(), step) == path.end()) {
    path.push_back(step);
    const std::vector<int>& before = edges[static_cast<std::size_t>(step)];
    step =
        *std::find_if(before.begin(), before.end(), [&](int b) { return left[static_cast<std::size_t>(b)]; });
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), step));
  std::string text = "deadlock: " + describe_step(program, step);
  for (std::size_t i = 1; i < path.size(); ++i) text += " waits for " + describe_step(program, path[i]);
  return text + (path.size() == 1 ? " waits for itself" : " waits for step " + std::to_string(step));
}

}  // namespace

base::Result<Order> Order::of(const Program& program) {
  const auto edges = predecessors(program);
  if (!edges) return edges.reason();
  Order order;
  order.sequence_ = topological(*edges);
  if (order.sequence_.size() != program.steps.size())
    return base::Reason{describe_cycle(program, *edges, order.sequence_)};

  std::map<int, std::size_t> dense;
  for (const Step& step : program.steps) dense.emplace(step.queue, 0);
  for (auto& [queue, index] : dense) index = order.queue_count_++;
  std::vector<int> length(order.queue_count_, 0);
  for (const Step& step : program.steps) {
    order.queue_.push_back(dense[step.queue]);
    order.position_.push_back(++length[order.queue_.back()]);
  }
  const std::size_t width = order.queue_count_;
  order.clock_.assign(program.steps.size() * width, 0);
  for (const int step : order.sequence_) {
    const auto s = static_cast<std::size_t>(step);
    for (const int before : (*edges)[s])
      for (std::size_t q = 0; q < width; ++q)
        order.clock_[s * width + q] =
            std::max(order.clock_[s * width + q], order.clock_[static_cast<std::size_t>(before) * width + q]);
    order.clock_[s * width + order.queue_[s]] = order.position_[s];
  }
  return order;
}

bool Order::before(int a, int b) const {
  const auto first = static_cast<std::size_t>(a), second = static_cast<std::size_t>(b);
  return a != b && clock_[second * queue_count_ + queue_[first]] >= position_[first];
}

}  // namespace convoy::plan
