#include "bench/train_throughput/measure.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "bench/train_throughput/peer.h"
#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/base/process_memory.h"
#include "convoy/benchkit/peak.h"
#include "convoy/benchkit/process.h"
#include "convoy/io/json.h"

namespace convoy::bench {
namespace {

// OpenMP's threads spin for some milliseconds when a side is done, and would take the other's cores.
constexpr auto kSettle = std::chrono::milliseconds(50);
constexpr double kMemorySeconds = 0.3;
constexpr int kProbes = 3;  // beside each repetition

benchkit::StepBenchConfig bench_config(const Case& which, const Options& options) {
  benchkit::StepBenchConfig config{.threads = options.threads, .decay_biases = true};
  config.run.model = which.model;
  config.run.data.clear();  // the input and classes are the model's own
  config.run.batch = which.batch;
  if (which.bf16) config.run.precision = "bf16";
  config.run.optimizer = "momentum";
  config.run.learning_rate = 0.001;
  config.run.momentum = 0.9;
  config.run.weight_decay = 5e-4;
  return config;
}

void settle() { std::this_thread::sleep_for(kSettle); }

void add_window(const benchkit::Window& window, int batch, Side& side) {
  const double fastest = *std::min_element(window.step_seconds.begin(), window.step_seconds.end());
  side.samples.push_back(batch / benchkit::median(window.step_seconds));
  side.best = std::max(side.best, batch / fastest);
}

void add_window(const PeerWindow& window, Side& side) {
  side.samples.push_back(window.median);
  side.best = std::max(side.best, window.best);
  side.peak_memory_bytes = window.peak_memory_bytes;
}

// This program again, for one case and without anything beside it.
std::int64_t memory_in_fresh_process(const Case& which, const Options& options) {
  benchkit::ChildProcess child({"/proc/self/exe", "--memory", "--one", std::string(which.name), "--threads",
                                std::to_string(options.threads)});
  const io::Json answer = io::parse_json(child.read_line(60), "train_throughput --memory");
  if (const int status = child.wait(); status != 0)
    throw base::Error(base::ExitCode::failure, fmt::format("train_throughput --memory: status {}", status));
  return io::require_int64(answer, "peak_memory_bytes", "train_throughput --memory");
}

}  // namespace

double Side::median() const { return benchkit::median(samples); }

double CaseResult::ratio() const { return peer ? convoy.median() / peer->median() : 0; }

benchkit::Interval CaseResult::ratio_interval() const {
  return peer ? benchkit::bootstrap_ratio(convoy.samples, peer->samples) : benchkit::Interval{};
}

bool CaseResult::holds() const { return peer && ratio_interval().low >= which.bar; }

double CaseResult::peak_share() const { return convoy.median() * flops_per_image / peak_flops; }

double CaseResult::memory_share() const {
  return peer ? static_cast<double>(convoy.peak_memory_bytes) / static_cast<double>(peer->peak_memory_bytes)
              : 0;
}

CaseResult measure_case(const Case& which, const Options& options) {
  CaseResult result{.which = which};
  std::unique_ptr<Peer> peer;
  if (!options.without_peer) {
    peer = start_best_peer(which, options.threads, options.seconds);
    result.peer.emplace().settings = peer->settings().str();
  }
  result.convoy.peak_memory_bytes = memory_in_fresh_process(which, options);
  const std::unique_ptr<benchkit::StepBench> bench = benchkit::make_step_bench(bench_config(which, options));
  const int threads = bench->plan().threads;
  result.convoy.settings = fmt::format("{} thread{}", threads, threads == 1 ? "" : "s");
  result.plan = bench->plan().str();
  result.flops_per_image = bench->flops_per_step() / which.batch;
  std::vector<double> peaks;
  for (int repetition = 0; repetition < options.repetitions; ++repetition) {
    settle();
    peaks.push_back(benchkit::measure_peak(options.threads, kProbes).median_flops);
    add_window(bench->measure(options.seconds), which.batch, result.convoy);
    settle();
    if (!peer) continue;
    const PeerWindow window = peer->measure(options.seconds);
    add_window(window, *result.peer);
    result.peer_version = window.version;
  }
  settle();
  result.peak_flops = benchkit::median(peaks);
  result.shares = bench->profile(std::max(options.seconds, 0.2));
  return result;
}

std::int64_t memory_of_case(const Case& which, const Options& options) {
  benchkit::make_step_bench(bench_config(which, options))->measure(kMemorySeconds);
  return base::peak_memory_bytes();
}

}  // namespace convoy::bench
