#include "bench/conv_algorithms/peer.h"

#include "convoy/base/check.h"
#include "convoy/benchkit/statistics.h"
#include "convoy/io/json.h"

namespace convoy::bench {
namespace {

constexpr double kStartSeconds = 120;   // PyTorch is slow to load from a cold disk
constexpr double kAnswerSeconds = 600;  // its large kernels are slow, too
const std::string kFile = "conv_torch.py";
const std::string kPeers = CONVOY_SOURCE_DIR "/bench/peers";

// The shell sets the peer's environment and is replaced by it.
std::vector<std::string> command(int threads) {
  return {"/bin/sh", "-c",
          base::str(". '", kPeers, "/torch_env.sh' && exec /usr/bin/python3 '", kPeers,
                    "/conv_torch.py' --threads ", threads)};
}

io::Json pair(std::int64_t down, std::int64_t across) { return io::Json(io::Json::Array{down, across}); }

TorchTime times(const io::Json& answer, const char* layout) {
  TorchTime time{.layout = layout, .seconds = {}};
  const io::Json& part = io::require_object(answer, layout, kFile);
  for (const io::Json& sample : io::require_array(part, "samples", kFile))
    time.seconds.push_back(sample.as_double());
  return time;
}

}  // namespace

TorchConv::TorchConv(int threads) : process_(command(threads)) {
  const io::Json ready = io::parse_json(process_.read_line(kStartSeconds), kFile);
  version_ = io::require_string(ready, "torch_version", kFile);
}

TorchTime TorchConv::measure(const benchkit::ConvProblem& p, kernels::Pass pass, double seconds) {
  CONVOY_CHECK(p.pads[0] == p.pads[2] && p.pads[1] == p.pads[3], p.str());
  const io::Json request = io::Json::object({{"n", p.n},
                                             {"c", p.c},
                                             {"h", p.h},
                                             {"w", p.w},
                                             {"k", p.k},
                                             {"r", p.r},
                                             {"q", p.q},
                                             {"strides", pair(p.stride_h, p.stride_w)},
                                             {"pads", pair(p.pads[0], p.pads[1])},
                                             {"dilations", pair(p.dilation_h, p.dilation_w)},
                                             {"groups", p.groups},
                                             {"direction", kernels::name(pass)},
                                             {"seconds", seconds}});
  process_.write_line(request.dump());
  const io::Json answer = io::parse_json(process_.read_line(kAnswerSeconds), kFile);
  TorchTime nchw = times(answer, "nchw"), nhwc = times(answer, "nhwc");
  CONVOY_CHECK(!nchw.seconds.empty() && !nhwc.seconds.empty(), answer.dump());
  return benchkit::median(nchw.seconds) <= benchkit::median(nhwc.seconds) ? nchw : nhwc;
}

}  // namespace convoy::bench
