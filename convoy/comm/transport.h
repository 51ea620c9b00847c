// Point-to-point messages between the ranks of a group.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace convoy::comm {

// A message in flight. Destroying it without wait() is a bug for receives.
class Request {
 public:
  virtual ~Request() = default;
  // True once wait() would not block: the operation is complete, or has failed and wait() says how. Never
  // blocks. A receive that has failed still wants its wait().
  virtual bool test() = 0;
  // Blocks until complete. Throws base::PeerError when the deadline passes or the peer is gone.
  virtual void wait() = 0;
};

// One rank's end of a group. Messages between one pair with one tag arrive in order; different tags are
// independent. Sizes of a matching send and receive are equal, or the receiver's wait throws PeerError.
// Thread-safe unless an implementation says otherwise.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual int rank() const = 0;
  virtual int world_size() const = 0;

  // The buffer must stay valid, and for sends unchanged, until the request is complete.
  virtual std::unique_ptr<Request> send(int peer, std::int32_t tag, std::span<const std::byte> data) = 0;
  virtual std::unique_ptr<Request> receive(int peer, std::int32_t tag, std::span<std::byte> data) = 0;

  // Returns once every rank has called it. Must be called by all; subject to the deadline.
  virtual void barrier() = 0;

  // Every wait for what is posted from now on fails after this long. Seconds, > 0; 300 at first.
  virtual void set_deadline(double seconds) = 0;
};

// `world_size` ends of a group whose ranks are threads of this process. Each end is used by its own thread.
// An end that is destroyed counts as a lost peer: others' waits for it throw at once, but what it sent before
// still arrives. Sends are buffered: they complete whether or not the peer receives.
std::vector<std::unique_ptr<Transport>> make_inproc_group(int world_size);

}  // namespace convoy::comm
