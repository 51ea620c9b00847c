#include "convoy/benchkit/conv_bench.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>

#include "convoy/base/clock.h"
#include "convoy/base/threads.h"
#include "convoy/benchkit/conv_data.h"

namespace convoy::benchkit {
namespace {

using kernels::KernelArgs;
using kernels::KernelEntry;
using kernels::KernelTraits;
using kernels::LayoutFamily;
using kernels::Pass;

constexpr double kSampleSeconds = 0.0002;  // long beside reading the clock
constexpr int kSecondChances = 2;

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::int64_t memory_bytes() {
  return static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

std::string mebibytes(std::int64_t bytes) { return base::str((bytes + (1 << 19)) >> 20, " MiB"); }

const kernels::Layout& layout_of(const KernelTraits& traits, ConvArray array) {
  switch (array) {
    case ConvArray::input:
      return traits.inputs[0];
    case ConvArray::filters:
      return traits.params[0];
    case ConvArray::output:
      break;
  }
  return traits.outputs[0];
}

// Memory that all contenders use in turn: outputs, workspace and derived values are as large as the largest.
struct Scratch {
  tensor::Buffer result, workspace;
};

// An entry in one family of layouts.
struct Contender {
  const KernelEntry* entry = nullptr;
  std::size_t row = 0;  // of the results
  LayoutFamily family = LayoutFamily::plain;
  double predicted = 0;
  std::unique_ptr<kernels::Kernel> kernel = nullptr;
  tensor::Buffer derived = {};
  std::int64_t calls = 1;  // a sample
  double first = 0;        // seconds of the first call
  std::vector<double> seconds = {};
  double spent = 0;
  bool open = true;  // is to be timed further
  ConvError error = {};
  std::string refusal = {};
};

class Bench {
 public:
  Bench(const ConvProblem& problem, Pass pass, const ConvBenchConfig& config)
      : problem_(problem), pass_(pass), config_(config), written_(written_array(pass)) {}

  std::vector<ConvMeasurement> run() {
    base::set_thread_count(config_.threads);
    find_contenders();
    make_kernels();
    std::erase_if(contenders_, [](const Contender& c) { return c.kernel == nullptr; });
    if (!contenders_.empty()) {
      data_.emplace(problem_, pass_);
      allocate();
      first_calls();
      while (std::any_of(contenders_.begin(), contenders_.end(), [](const Contender& c) { return c.open; }))
        for (Contender& contender : contenders_)
          if (contender.open) take_sample(contender);
      for (Contender& contender : contenders_) report(contender);
      mark_winner();
    }
    return std::move(results_);
  }

 private:
  bool is_wanted(std::string_view name) const {
    return config_.algorithms.empty() ? name != "reference" : contains(config_.algorithms, name);
  }

  void find_contenders() {
    for (const KernelEntry* entry : conv_entries()) {
      if (!is_wanted(entry->name)) continue;
      ConvMeasurement& row = results_.emplace_back(ConvMeasurement{.algorithm = std::string(entry->name)});
      if (const auto verdict = conv_support(*entry, problem_, pass_, config_.training); !verdict)
        row.refusal = verdict.reason().text;
      for (const LayoutFamily family : kernels::kLayoutFamilies) {
        const kernels::Problem problem = problem_.kernel_problem(pass_, family, config_.training);
        if (row.measured() && entry->supports(problem))
          contenders_.push_back({.entry = entry,
                                 .row = results_.size() - 1,
                                 .family = family,
                                 .predicted = entry->seconds(problem, config_.machine)});
      }
    }
    std::stable_sort(contenders_.begin(), contenders_.end(),
                     [](const Contender& a, const Contender& b) { return a.predicted < b.predicted; });
  }

  void make_kernels() {
    for (Contender& contender : contenders_) {
      auto kernel = contender.entry->make(problem_.kernel_problem(pass_, contender.family, config_.training));
      const KernelTraits& traits = kernel->traits();
      const std::int64_t scratch = traits.workspace_bytes + traits.derived_bytes;
      ConvMeasurement& row = results_[contender.row];
      // Plain and converted arrays, and the conversions' own room.
      const std::int64_t needed = 3 * problem_.bytes() + scratch;
      if (scratch > config_.workspace_limit_bytes)
        row.refusal = base::str("needs a workspace of ", mebibytes(scratch), " and ",
                                mebibytes(config_.workspace_limit_bytes), " are allowed");
      else if (needed > memory_bytes())
        row.refusal = base::str("needs ", mebibytes(needed), " of memory and this machine has ",
                                mebibytes(memory_bytes()));
      else
        contender.kernel = std::move(kernel);
    }
  }

  void allocate() {
    std::int64_t result = 0, workspace = 0;
    for (Contender& contender : contenders_) {
      const KernelTraits& traits = contender.kernel->traits();
      result = std::max(
          result, layout_of(traits, written_).storage_bytes(data_->shape(written_), tensor::DType::f32));
      workspace = std::max(workspace, traits.workspace_bytes);
      contender.derived = tensor::Buffer(traits.derived_bytes);
    }
    // Written once before anything is timed: the system hands out pages on first use.
    scratch_ = {tensor::Buffer(result), tensor::Buffer(workspace)};
    std::fill_n(scratch_.workspace.data(), workspace, std::byte{0xFF});
  }

  // Seconds of so many calls.
  double time(Contender& contender, std::int64_t calls, bool derived_valid) {
    const KernelTraits& traits = contender.kernel->traits();
    const auto source = [&](ConvArray array) -> const void* {
      return array == written_ ? nullptr : data_->read(array, layout_of(traits, array));
    };
    const void* inputs[] = {source(ConvArray::input)};
    const void* params[] = {source(ConvArray::filters)};
    const void* gradients[] = {source(ConvArray::output)};
    void* result[] = {scratch_.result.data()};
    void* none[] = {nullptr};
    const bool is_forward = pass_ == Pass::forward;
    const KernelArgs args{
        .inputs = inputs,
        .params = params,
        .outputs = is_forward ? std::span<void* const>(result) : none,
        .next_state = none,
        .output_gradients = is_forward ? std::span<const void* const>() : gradients,
        .input_gradients = pass_ == Pass::backward_data ? std::span<void* const>(result) : none,
        .param_gradients = pass_ == Pass::backward_weights ? std::span<void* const>(result) : none,
        .workspace = scratch_.workspace.data(),
        .derived = contender.derived.data(),
        .derived_valid = derived_valid,
        .context = &context_};
    const double begin = clock_->now();
    for (std::int64_t call = 0; call < calls; ++call) contender.kernel->run(args);
    return clock_->now() - begin;
  }

  // A call that another program interrupted must not be an algorithm's last.
  void retry(Contender& contender) {
    const double seconds = time(contender, 1, true);
    contender.spent += seconds;
    contender.seconds.push_back(seconds);
    contender.first = std::min(contender.first, seconds);
  }

  bool is_spared(const Contender& contender) const {
    return config_.hopeless <= 0 || contains(config_.always, contender.entry->name);
  }

  // One call of each, which is checked, and decides who goes on.
  void first_calls() {
    double fastest = INFINITY;
    for (Contender& contender : contenders_) {
      if (!is_spared(contender) && contender.predicted > kHopelessPrediction * config_.hopeless * fastest) {
        contender.refusal = base::str("predicted to take ", std::llround(contender.predicted / fastest),
                                      " times as long as the fastest");
        contender.open = false;
        continue;
      }
      // As NaN, so that what is not written shows.
      std::memset(scratch_.result.data(), 0xFF, static_cast<std::size_t>(scratch_.result.bytes()));
      contender.first = time(contender, 1, false);
      contender.error = data_->error(reinterpret_cast<const float*>(scratch_.result.data()),
                                     layout_of(contender.kernel->traits(), written_));
      if (contender.first < config_.most_seconds) contender.first = time(contender, 1, true);
      contender.seconds.push_back(contender.first);
      contender.calls = std::clamp<std::int64_t>(std::llround(kSampleSeconds / contender.first), 1, 1000);
      contender.spent = contender.first;
      fastest = std::min(fastest, contender.first);
    }
    for (Contender& contender : contenders_) {
      if (is_spared(contender) || !contender.open || contender.first <= config_.hopeless * fastest) continue;
      for (int again = 0; again < kSecondChances && contender.spent < config_.most_seconds; ++again)
        retry(contender);
      if (contender.first > config_.hopeless * fastest) contender.open = false;
    }
    keep_one_family_each();
    for (Contender& contender : contenders_)
      if (contender.calls > 1 && contender.open)
        contender.seconds.clear();  // a single call was too short
      else
        close_if_done(contender);
  }

  void keep_one_family_each() {
    std::vector<Contender> kept;
    for (Contender& contender : contenders_) {
      const auto same = std::find_if(kept.begin(), kept.end(),
                                     [&](const Contender& other) { return other.row == contender.row; });
      if (same == kept.end())
        kept.push_back(std::move(contender));
      else if (contender.refusal.empty() && (!same->refusal.empty() || contender.first < same->first))
        *same = std::move(contender);
    }
    contenders_ = std::move(kept);
  }

  void take_sample(Contender& contender) {
    const double seconds = time(contender, contender.calls, true);
    contender.spent += seconds;
    contender.seconds.push_back(seconds / static_cast<double>(contender.calls));
    close_if_done(contender);
  }

  void close_if_done(Contender& contender) const {
    const bool has_enough =
        std::ssize(contender.seconds) >= config_.repetitions && contender.spent >= config_.seconds;
    if (has_enough || contender.spent >= config_.most_seconds) contender.open = false;
  }

  void report(const Contender& contender) {
    ConvMeasurement& row = results_[contender.row];
    row.refusal = contender.refusal;
    row.hopeless = !contender.refusal.empty();
    if (!row.refusal.empty()) return;
    const KernelTraits& traits = contender.kernel->traits();
    const kernels::Problem problem = problem_.kernel_problem(pass_, contender.family, config_.training);
    row.family = contender.family;
    row.implementation = contender.kernel->implementation();
    row.seconds = contender.seconds;
    row.flops = problem_.flops();
    row.predicted_seconds = contender.predicted;
    row.relative_error = contender.error.relative;
    row.rms_error = contender.error.rms;
    row.share_of_bound = contender.error.epsilons / contender.entry->error_growth(problem);
    row.workspace_bytes = traits.workspace_bytes + traits.derived_bytes;
  }

  void mark_winner() {
    ConvMeasurement* winner = nullptr;
    for (ConvMeasurement& row : results_)
      if (row.measured() && (winner == nullptr || row.median_seconds() < winner->median_seconds()))
        winner = &row;
    if (winner != nullptr) winner->winner = true;
  }

  const ConvProblem& problem_;
  const Pass pass_;
  const ConvBenchConfig& config_;
  const ConvArray written_;
  std::vector<ConvMeasurement> results_;
  std::vector<Contender> contenders_;
  std::optional<ConvData> data_;
  Scratch scratch_;
  std::unique_ptr<base::Clock> clock_ = base::make_steady_clock();
  graph::EvalContext context_;
};

}  // namespace

double ConvMeasurement::best_seconds() const { return *std::min_element(seconds.begin(), seconds.end()); }

std::vector<const kernels::KernelEntry*> conv_entries() {
  std::vector<const KernelEntry*> entries;
  for (const KernelEntry& entry : kernels::catalog())
    if (entry.op == "Conv" || entry.op == "*") entries.push_back(&entry);
  return entries;
}

base::Verdict conv_support(const KernelEntry& entry, const ConvProblem& problem, Pass pass, bool training) {
  std::string why;
  for (const LayoutFamily family : kernels::kLayoutFamilies) {
    const base::Verdict verdict = entry.supports(problem.kernel_problem(pass, family, training));
    if (verdict) return {};
    // That of the family that convolutions are made for says most.
    if (why.empty() || family == LayoutFamily::blocked) why = verdict.reason().text;
  }
  return base::Reason{why};
}

std::vector<ConvMeasurement> bench_conv(const ConvProblem& problem, Pass pass,
                                        const ConvBenchConfig& config) {
  CONVOY_CHECK(config.threads >= 1 && config.repetitions >= 1, config.threads, " threads, ",
               config.repetitions, " repetitions");
  const base::Verdict verdict = problem.check();
  CONVOY_CHECK(verdict.ok(), verdict.reason().text);
  return Bench(problem, pass, config).run();
}

}  // namespace convoy::benchkit
