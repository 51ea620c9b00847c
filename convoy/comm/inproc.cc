// A group whose ranks are threads of one process: a mailbox a rank.
//
// Sends complete at once. Where the receiver already waits the bytes go straight into its buffer, outside
// the lock; else they are copied into the mailbox, so that a rank never waits for another to receive.
#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/comm/transport.h"

namespace convoy::comm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kDefaultDeadline_s = 300;
constexpr double kLongestDeadline_s = 1e8;  // three years; keeps time points within range

Clock::duration to_duration(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

// A receive that waits in a mailbox. All fields but the buffer's bytes are guarded by the mailbox's mutex.
struct PostedReceive {
  enum class State { waiting, filling, complete };
  std::span<std::byte> buffer;
  State state = State::waiting;
  std::size_t sent_bytes = 0;  // the message's size, once complete
};

// Messages from one peer with one tag. At most one of the two queues has entries.
struct Channel {
  std::deque<std::vector<std::byte>> arrived;
  std::deque<PostedReceive*> posted;
};

struct Mailbox {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::pair<int, std::int32_t>, Channel> channels;  // by sender and tag
};

// What the ends of a group share.
class Group {
 public:
  explicit Group(int world_size)
      : mailboxes_(static_cast<std::size_t>(world_size)),
        gone_(static_cast<std::size_t>(world_size)),
        barrier_rounds_(static_cast<std::size_t>(world_size), 0) {}

  int world_size() const { return static_cast<int>(mailboxes_.size()); }
  Mailbox& mailbox(int rank) { return mailboxes_[static_cast<std::size_t>(rank)]; }
  bool gone(int rank) const { return gone_[static_cast<std::size_t>(rank)].load(std::memory_order_acquire); }

  // Marks an end as lost and wakes whoever waits for it.
  void leave(int rank) {
    gone_[static_cast<std::size_t>(rank)].store(true, std::memory_order_release);
    for (Mailbox& box : mailboxes_) {
      // Taken and released so that a waiter is either before its check of gone() or already waiting.
      { const std::lock_guard lock(box.mutex); }
      box.changed.notify_all();
    }
    { const std::lock_guard lock(barrier_mutex_); }
    barrier_changed_.notify_all();
  }

  void deliver(int from, int to, std::int32_t tag, std::span<const std::byte> data);
  void barrier(int rank, double deadline_s);

 private:
  // The first rank that has not reached `round` of the barrier, or -1.
  int missing(std::int64_t round) const {
    for (std::size_t r = 0; r < barrier_rounds_.size(); ++r)
      if (barrier_rounds_[r] < round) return static_cast<int>(r);
    return -1;
  }
  // The same, but one that will never reach it.
  int missing_and_gone(std::int64_t round) const {
    for (std::size_t r = 0; r < barrier_rounds_.size(); ++r)
      if (barrier_rounds_[r] < round && gone(static_cast<int>(r))) return static_cast<int>(r);
    return -1;
  }

  std::vector<Mailbox> mailboxes_;
  std::vector<std::atomic<bool>> gone_;
  std::mutex barrier_mutex_;
  std::condition_variable barrier_changed_;
  std::vector<std::int64_t> barrier_rounds_;  // barriers each rank has entered
};

void fill(PostedReceive& receive, std::span<const std::byte> data) {
  if (receive.buffer.size() == data.size() && !data.empty())
    std::memcpy(receive.buffer.data(), data.data(), data.size());
}

void Group::deliver(int from, int to, std::int32_t tag, std::span<const std::byte> data) {
  Mailbox& box = mailbox(to);
  std::unique_lock lock(box.mutex);
  Channel& channel = box.channels[{from, tag}];
  if (channel.posted.empty()) {
    channel.arrived.emplace_back(data.begin(), data.end());
    return;
  }
  PostedReceive& receive = *channel.posted.front();
  channel.posted.pop_front();
  receive.state = PostedReceive::State::filling;  // keeps the receive and its buffer alive, see withdraw
  lock.unlock();
  fill(receive, data);
  lock.lock();
  receive.sent_bytes = data.size();
  receive.state = PostedReceive::State::complete;  // and from here on the receive may be destroyed
  box.changed.notify_all();
}

void Group::barrier(int rank, double deadline_s) {
  std::unique_lock lock(barrier_mutex_);
  const std::int64_t round = ++barrier_rounds_[static_cast<std::size_t>(rank)];
  barrier_changed_.notify_all();
  const auto begin = Clock::now();
  const auto settled = [&] { return missing(round) < 0 || missing_and_gone(round) >= 0; };
  barrier_changed_.wait_until(lock, begin + to_duration(deadline_s), settled);
  const int absent = missing(round);
  if (absent < 0) return;
  const int lost = missing_and_gone(round);
  // As if it had not been entered: nobody can have passed, because `absent` has not.
  --barrier_rounds_[static_cast<std::size_t>(rank)];
  const double waited = std::chrono::duration<double>(Clock::now() - begin).count();
  throw base::PeerError(
      rank, lost >= 0 ? lost : absent, "barrier",
      lost >= 0
          ? fmt::format("the peer is gone, after {:.3f} s of waiting; its own last message says why", waited)
          : fmt::format("it has not arrived after {:.3f} s (the deadline is {} s)", waited, deadline_s));
}

// A message between two ranks, as errors name it.
struct Message {
  int rank = 0;
  int peer = 0;
  std::int32_t tag = 0;
};

[[noreturn]] void fail(const Message& message, std::string_view verb, std::size_t bytes,
                       const std::string& problem) {
  throw base::PeerError(message.rank, message.peer,
                        fmt::format("{} of {} bytes, tag {}", verb, bytes, message.tag), problem);
}

// A send whose bytes are already on their way, or one to a peer that was gone.
class SendRequest final : public Request {
 public:
  SendRequest(const Message& message, std::size_t bytes, bool sent)
      : message_(message), bytes_(bytes), sent_(sent) {}
  bool test() override { return true; }
  void wait() override {
    if (!sent_) fail(message_, "send", bytes_, "the peer is gone; its own last message says why");
  }

 private:
  Message message_;
  std::size_t bytes_;
  bool sent_;
};

class ReceiveRequest final : public Request {
 public:
  ReceiveRequest(std::shared_ptr<Group> group, const Message& message, std::span<std::byte> buffer,
                 double deadline_s)
      : group_(std::move(group)),
        message_(message),
        deadline_s_(deadline_s),
        box_(group_->mailbox(message.rank)),
        exceptions_(std::uncaught_exceptions()) {
    receive_.buffer = buffer;
    const std::lock_guard lock(box_.mutex);
    Channel& channel = box_.channels[{message.peer, message.tag}];
    if (channel.arrived.empty()) {
      channel.posted.push_back(&receive_);
      return;
    }
    const std::vector<std::byte>& data = channel.arrived.front();
    fill(receive_, data);
    receive_.sent_bytes = data.size();
    receive_.state = PostedReceive::State::complete;
    channel.arrived.pop_front();
  }

  ~ReceiveRequest() override {
    withdraw();
    const bool unwinding = std::uncaught_exceptions() > exceptions_;
    CONVOY_CHECK(settled_ || unwinding, "rank ", message_.rank, " dropped a receive of tag ", message_.tag,
                 " from rank ", message_.peer, " without waiting for it");
  }
  ReceiveRequest(const ReceiveRequest&) = delete;
  ReceiveRequest& operator=(const ReceiveRequest&) = delete;

  bool test() override {
    const std::lock_guard lock(box_.mutex);
    settled_ = settled_ || (receive_.state == PostedReceive::State::complete &&
                            receive_.sent_bytes == receive_.buffer.size());
    return over();
  }

  void wait() override {
    settled_ = true;
    std::unique_lock lock(box_.mutex);
    const auto begin = Clock::now();
    box_.changed.wait_until(lock, begin + to_duration(deadline_s_), [this] { return over(); });
    const std::size_t bytes = receive_.buffer.size();
    if (receive_.state == PostedReceive::State::complete) {
      if (receive_.sent_bytes == bytes) return;
      fail(message_, "receive", bytes,
           fmt::format("the message has {} bytes; the ranks disagree on what they exchange",
                       receive_.sent_bytes));
    }
    const double waited = std::chrono::duration<double>(Clock::now() - begin).count();
    if (group_->gone(message_.peer))
      fail(message_, "receive", bytes,
           fmt::format("the peer is gone, after {:.3f} s of waiting; its own last message says why", waited));
    fail(message_, "receive", bytes,
         fmt::format("no message after {:.3f} s (the deadline is {} s); it hangs, or is slower than that",
                     waited, deadline_s_));
  }

 private:
  // Whether wait() returns or throws at once. Under the mailbox's mutex.
  bool over() const {
    return receive_.state == PostedReceive::State::complete ||
           (receive_.state == PostedReceive::State::waiting && group_->gone(message_.peer));
  }

  // After this no sender holds a pointer to the receive or its buffer. A sender that is filling it finishes
  // first; that is a copy, not a wait for a peer.
  void withdraw() {
    std::unique_lock lock(box_.mutex);
    if (receive_.state == PostedReceive::State::waiting)
      std::erase(box_.channels[{message_.peer, message_.tag}].posted, &receive_);
    box_.changed.wait(lock, [this] { return receive_.state != PostedReceive::State::filling; });
  }

  std::shared_ptr<Group> group_;
  Message message_;
  double deadline_s_;
  Mailbox& box_;
  int exceptions_;
  PostedReceive receive_;
  bool settled_ = false;
};

class InprocTransport final : public Transport {
 public:
  InprocTransport(std::shared_ptr<Group> group, int rank) : group_(std::move(group)), rank_(rank) {}
  ~InprocTransport() override { group_->leave(rank_); }
  InprocTransport(const InprocTransport&) = delete;
  InprocTransport& operator=(const InprocTransport&) = delete;

  int rank() const override { return rank_; }
  int world_size() const override { return group_->world_size(); }

  std::unique_ptr<Request> send(int peer, std::int32_t tag, std::span<const std::byte> data) override {
    check_peer(peer);
    const bool lost = group_->gone(peer);
    if (!lost) group_->deliver(rank_, peer, tag, data);
    return std::make_unique<SendRequest>(Message{rank_, peer, tag}, data.size(), !lost);
  }

  std::unique_ptr<Request> receive(int peer, std::int32_t tag, std::span<std::byte> data) override {
    check_peer(peer);
    return std::make_unique<ReceiveRequest>(group_, Message{rank_, peer, tag}, data, deadline_s_.load());
  }

  void barrier() override { group_->barrier(rank_, deadline_s_.load()); }

  void set_deadline(double seconds) override {
    CONVOY_CHECK(seconds > 0 && seconds <= kLongestDeadline_s, "deadline of ", seconds, " s");
    deadline_s_.store(seconds);
  }

 private:
  void check_peer(int peer) const {
    CONVOY_CHECK(peer >= 0 && peer < world_size(), "rank ", peer, " of ", world_size());
  }

  std::shared_ptr<Group> group_;
  int rank_;
  std::atomic<double> deadline_s_{kDefaultDeadline_s};
};

}  // namespace

std::vector<std::unique_ptr<Transport>> make_inproc_group(int world_size) {
  CONVOY_CHECK(world_size >= 1, "a group of ", world_size);
  const auto group = std::make_shared<Group>(world_size);
  std::vector<std::unique_ptr<Transport>> ends;
  for (int rank = 0; rank < world_size; ++rank)
    ends.push_back(std::make_unique<InprocTransport>(group, rank));
  return ends;
}

}  // namespace convoy::comm
