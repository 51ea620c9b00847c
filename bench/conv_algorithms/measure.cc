#include "bench/conv_algorithms/measure.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include "convoy/base/check.h"
#include "convoy/base/clock.h"
#include "convoy/base/threads.h"
#include "convoy/plan/candidates.h"
#include "convoy/report/text.h"
#include "convoy/tune/peak.h"
#include "convoy/tune/probe.h"
#include "convoy/tune/tuner.h"

namespace convoy::bench {
namespace {

using benchkit::ConvMeasurement;
using benchkit::ConvProblem;
using kernels::Pass;

// OpenMP's threads spin for some milliseconds when a side is done, and would take the other's cores.
constexpr auto kSettle = std::chrono::milliseconds(20);
constexpr int kProbes = 3;
// Of one algorithm: fifteen samples of oneDNN with 9x9 filters. Larger ones get fewer.
constexpr double kMostSeconds = 10;
// PyTorch takes minutes on what is larger: the kernel sweep from 15x15 on, where it stands worst.
constexpr double kMostTorchFlops = 150e9;

// A network does not need the gradient of its images.
bool is_needed(const ConvProblem& problem, Pass pass) {
  constexpr std::int64_t kImageChannels = 3;
  return pass != Pass::backward_data || problem.c > kImageChannels;
}

// What is measured of a problem, whichever set it stands in.
struct Measured {
  double peak_flops = 0;
  std::vector<ConvMeasurement> rows;
  std::optional<TorchTime> torch;
  std::string pick;
};

class Session {
 public:
  Session(const ConvOptions& options, int threads) : options_(options) {
    base::set_thread_count(threads);
    config_.threads = threads;
    config_.machine = tune::probe_machine(threads);
    config_.repetitions = options.repetitions;
    config_.seconds = options.seconds;
    config_.most_seconds = std::max(kMostSeconds, options.seconds);
    config_.hopeless = kHopeless;
    // Both sides of a bar, however hopeless.
    config_.always = {"onednn", "onednn:winograd", "direct"};
    if (!options.without_peer) torch_ = std::make_unique<TorchConv>(threads);
  }

  const Measured& measure(const ConvProblem& problem, Pass pass) {
    const auto [at, is_new] = known_.try_emplace({problem.str(), pass});
    if (!is_new) return at->second;
    Measured& result = at->second;
    std::this_thread::sleep_for(kSettle);
    result.peak_flops = tune::measure_peak(config_.threads, kProbes).best_flops;
    result.rows = benchkit::bench_conv(problem, pass, config_);
    if (!options_.without_tuner) result.pick = tuner_pick(problem, pass);
    if (torch_ && problem.flops() <= kMostTorchFlops) {
      std::this_thread::sleep_for(kSettle);
      result.torch = torch_->measure(problem, pass, options_.seconds);
    }
    return result;
  }

  std::string torch_version() const { return torch_ ? torch_->version() : ""; }

 private:
  // What `convoy tune` would put into an empty cache as the fastest.
  std::string tuner_pick(const ConvProblem& problem, Pass pass) {
    const tune::TuneTarget target = tune::tune_target(
        "conv", problem.kernel_problem(pass, kernels::LayoutFamily::plain), {}, kernels::catalog());
    tune::Cache cache("");
    const auto rows =
        tune::tune({&target, 1}, {.machine = config_.machine, .cache = cache, .clock = *clock_});
    for (const tune::TuneRow& row : rows)
      if (row.fastest) return row.entry.substr(0, row.entry.find('/'));
    return "";
  }

  const ConvOptions& options_;
  benchkit::ConvBenchConfig config_;
  std::unique_ptr<TorchConv> torch_;
  std::unique_ptr<base::Clock> clock_ = base::make_steady_clock();
  std::map<std::pair<std::string, Pass>, Measured> known_;
};

}  // namespace

std::string LayerResult::str() const {
  return fmt::format("{} {} {} T{}", set, layer.name, kernels::name(pass), threads);
}

bool is_rival(std::string_view algorithm) { return is_of(algorithm, "onednn"); }

bool is_own(std::string_view algorithm) { return !is_rival(algorithm) && algorithm != "reference"; }

bool is_of(std::string_view algorithm, std::string_view family) { return plan::means(family, algorithm); }

const ConvMeasurement* fastest(const LayerResult& result, const Filter& filter) {
  const ConvMeasurement* best = nullptr;
  for (const ConvMeasurement& row : result.rows)
    if (row.measured() && filter(row.algorithm) &&
        (best == nullptr || row.median_seconds() < best->median_seconds()))
      best = &row;
  return best;
}

ConvResults measure_layers(const ConvOptions& options) {
  ConvResults results;
  const auto clock = base::make_steady_clock();
  const double start = clock->now();
  double flops_left = 0, flops_done = 0;
  for (const benchkit::ConvSet* set : options.sets)
    for (const benchkit::ConvLayer& layer : set->layers)
      for (const Pass pass : options.passes)
        if (is_needed(layer.problem, pass)) flops_left += layer.problem.flops();
  flops_left *= static_cast<double>(options.threads.size());
  for (const int threads : options.threads) {
    Session session(options, threads);
    results.torch_version = session.torch_version();
    for (const benchkit::ConvSet* set : options.sets)
      for (const benchkit::ConvLayer& layer : set->layers)
        for (const Pass pass : options.passes) {
          if (!is_needed(layer.problem, pass)) continue;
          LayerResult result{.set = std::string(set->name), .layer = layer, .pass = pass, .threads = threads};
          const double elapsed = clock->now() - start;
          fmt::print(stderr, "{}{}\n", result.str(),
                     flops_done > 0 ? ", ETA " + report::duration(elapsed / flops_done * flops_left) : "");
          const Measured& measured = session.measure(layer.problem, pass);
          result.peak_flops = measured.peak_flops;
          result.rows = measured.rows;
          result.torch = measured.torch;
          result.pick = measured.pick;
          results.layers.push_back(std::move(result));
          flops_done += layer.problem.flops();
          flops_left -= layer.problem.flops();
        }
  }
  results.total_seconds = clock->now() - start;
  return results;
}

}  // namespace convoy::bench
