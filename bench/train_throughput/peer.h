// PyTorch as a child process that measures when asked.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "bench/train_throughput/options.h"
#include "convoy/benchkit/process.h"

namespace convoy::bench {

// One repetition, as the peer reports it.
struct PeerWindow {
  double median = 0;  // images/s: batch / median of the seconds of its steps
  double best = 0;
  std::int64_t peak_memory_bytes = 0;  // since its start
  std::string version;                 // of PyTorch
};

struct PeerSettings {
  bool channels_last = false;
  int threads = 1;

  std::string str() const;  // "nchw, 2 threads"
};

// Keeps one PyTorch process in training; between measurements its threads sleep.
class Peer {
 public:
  // Starts and warms up. Throws base::Error where Python or PyTorch is missing.
  Peer(const Case& which, const PeerSettings& settings);

  const PeerSettings& settings() const { return settings_; }
  PeerWindow measure(double seconds);

 private:
  PeerSettings settings_;
  benchkit::ChildProcess process_;
};

// The fastest peer for a case among its layouts and one or `threads` threads: each is tried for `seconds`.
std::unique_ptr<Peer> start_best_peer(const Case& which, int threads, double seconds);

}  // namespace convoy::bench
