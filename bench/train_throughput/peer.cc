#include "bench/train_throughput/peer.h"

#include <utility>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/io/json.h"

namespace convoy::bench {
namespace {

constexpr double kStartSeconds = 120;   // PyTorch is slow to load from a cold disk
constexpr double kAnswerSeconds = 120;  // beyond the measurement itself

const std::string kPeers = CONVOY_SOURCE_DIR "/bench/peers";

// The shell sets the peer's environment and is replaced by it.
std::vector<std::string> command(const Case& which, const PeerSettings& settings) {
  std::string line = base::str(". '", kPeers, "/torch_env.sh' && exec /usr/bin/python3 '", kPeers,
                               "/train_torch.py' --serve --net ", which.model, " --batch ", which.batch,
                               " --threads ", settings.threads);
  if (settings.channels_last) line += " --channels-last";
  if (which.bf16) line += " --bf16";
  return {"/bin/sh", "-c", line};
}

}  // namespace

std::string PeerSettings::str() const {
  return base::str(channels_last ? "nhwc, " : "nchw, ", threads, threads == 1 ? " thread" : " threads");
}

Peer::Peer(const Case& which, const PeerSettings& settings)
    : settings_(settings), process_(command(which, settings)) {
  io::require_bool(io::parse_json(process_.read_line(kStartSeconds), "train_torch.py"), "ready",
                   "train_torch.py");
}

PeerWindow Peer::measure(double seconds) {
  process_.write_line(base::str("run ", seconds));
  const std::string file = "train_torch.py";
  const io::Json answer = io::parse_json(process_.read_line(seconds + kAnswerSeconds), file);
  const io::Json& rates = io::require_object(answer, "images_per_second", file);
  return {.median = io::require_double(rates, "median", file),
          .best = io::require_double(rates, "best", file),
          .peak_memory_bytes = io::require_int64(answer, "peak_memory_bytes", file),
          .version = io::require_string(answer, "torch_version", file)};
}

std::unique_ptr<Peer> start_best_peer(const Case& which, int threads, double seconds) {
  std::vector<PeerSettings> candidates;
  for (const bool channels_last : {false, true}) {
    if (channels_last && which.model == "mlp") continue;  // no tensor has channels
    candidates.push_back({.channels_last = channels_last, .threads = threads});
    if (threads > 1) candidates.push_back({.channels_last = channels_last, .threads = 1});
  }
  std::unique_ptr<Peer> best;
  double best_rate = 0;
  for (const PeerSettings& settings : candidates) {
    auto peer = std::make_unique<Peer>(which, settings);
    peer->measure(seconds / 2);
    const double rate = peer->measure(seconds).median;
    if (rate > best_rate) {
      best_rate = rate;
      best = std::move(peer);
    }
  }
  return best;
}

}  // namespace convoy::bench
