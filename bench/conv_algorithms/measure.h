// All algorithms, oneDNN and PyTorch on the layers asked for.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/conv_algorithms/options.h"
#include "bench/conv_algorithms/peer.h"
#include "convoy/benchkit/conv_bench.h"

namespace convoy::bench {

// ConvBenchConfig::hopeless of the run: many layers, little time.
inline constexpr double kHopeless = 2;

struct LayerResult {
  std::string set;
  benchkit::ConvLayer layer;
  kernels::Pass pass = kernels::Pass::forward;
  int threads = 1;
  double peak_flops = 0;
  std::vector<benchkit::ConvMeasurement> rows;
  std::optional<TorchTime> torch;
  std::string pick;  // the algorithm that the tuner chooses; empty: was not asked

  std::string str() const;  // "vgg16 3_1 forward T2"
};

struct ConvResults {
  std::vector<LayerResult> layers;
  std::string torch_version;
  double total_seconds = 0;  // of the whole run
};

// Every entry of the catalog but the library's and the reference.
bool is_own(std::string_view algorithm);
// The library's.
bool is_rival(std::string_view algorithm);
// Whether it is the algorithm `family` or a variant of it: "winograd:f4" is of "winograd".
bool is_of(std::string_view algorithm, std::string_view family);

using Filter = std::function<bool(std::string_view algorithm)>;
// The measured row of least median whose algorithm passes; null where there is none.
const benchkit::ConvMeasurement* fastest(const LayerResult& result, const Filter& filter);

// Measures, with progress on stderr. A problem that several sets have is measured once. Throws base::Error.
ConvResults measure_layers(const ConvOptions& options);

}  // namespace convoy::bench
