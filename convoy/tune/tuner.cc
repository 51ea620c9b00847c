#include "convoy/tune/tuner.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "convoy/base/check.h"
#include "convoy/base/threads.h"
#include "convoy/tune/problem_text.h"

namespace convoy::tune {
namespace {

using kernels::Problem;
using plan::Candidate;
using State = TuneRow::State;

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kGiveUp = 2;  // times the best: a first call as slow as that has lost

std::string entry_text(const Candidate& candidate) { return plan::str(candidate.choice()); }

// One candidate of one target on its way through the tuner.
struct Contender {
  Candidate candidate;
  Problem problem;
  TuneRow row;
};

class Tuner {
 public:
  Tuner(std::span<const TuneTarget> targets, const Tuning& tuning)
      : targets_(targets), tuning_(tuning), config_(tuning.config), begin_(tuning.clock.now()) {}

  std::vector<TuneRow> run() {
    for (const TuneTarget& target : targets_) contests_.push_back(contenders(target));
    for (const auto& contest : contests_)
      for (const Contender& c : contest)
        if (!is_known(c) && c.row.predicted_seconds <= limit(contest)) expect(c, 1);
    std::vector<TuneRow> rows;
    for (std::size_t i = 0; i < contests_.size(); ++i) {
      settle(contests_[i]);
      append(targets_[i], contests_[i], rows);
    }
    report("");
    return rows;
  }

 private:
  // By falling hope.
  std::vector<Contender> contenders(const TuneTarget& target) const {
    std::vector<Contender> list;
    for (const Candidate& candidate : target.candidates) {
      Contender c{.candidate = candidate, .problem = target.problem};
      c.problem.family = candidate.family;
      if (candidate.bf16) c.problem.type = tensor::DType::bf16;
      c.row = {.layer = target.layer, .pass = target.problem.pass, .entry = entry_text(candidate)};
      c.row.predicted_seconds = candidate.entry->seconds(c.problem, tuning_.machine);
      list.push_back(std::move(c));
    }
    std::stable_sort(list.begin(), list.end(), [](const Contender& a, const Contender& b) {
      return a.row.predicted_seconds < b.row.predicted_seconds;
    });
    return list;
  }

  std::pair<std::string, std::string> key(const Contender& c) const {
    return {problem_text(c.problem), std::string(c.candidate.entry->name)};
  }

  std::optional<double> known_seconds(const Contender& c) const {
    if (config_.again && !timed_.contains(key(c))) return std::nullopt;
    return tuning_.cache.seconds(c.problem, c.candidate.entry->name, base::thread_count());
  }
  bool is_known(const Contender& c) const { return known_seconds(c).has_value(); }

  // What a prediction may be at most while its kernel can still win. Where the best was predicted to take
  // longer than it does, the others' predictions are taken to err the same way.
  double limit(const std::vector<Contender>& contest) const {
    const Contender* best = nullptr;
    for (const Contender& c : contest)
      if (c.row.measured() && (best == nullptr || c.row.seconds < best->row.seconds)) best = &c;
    if (best != nullptr) return config_.cut * std::max(best->row.seconds, best->row.predicted_seconds);
    return contest.empty() ? 0 : config_.cut * contest.front().row.predicted_seconds;
  }

  void settle(std::vector<Contender>& contest) {
    double best = kNever;
    for (Contender& c : contest) {
      if (const auto seconds = known_seconds(c)) {
        c.row.seconds = *seconds;
        c.row.state = State::known;
        best = std::min(best, *seconds);
      }
    }
    for (Contender& c : contest) {
      if (c.row.measured()) continue;
      if (tuning_.stop != nullptr && tuning_.stop->stop_requested()) {
        c.row.reason = "the tuner was stopped";
        continue;
      }
      if (c.row.predicted_seconds > limit(contest)) {
        c.row.reason = "predicted to lose by far";
        continue;
      }
      time(c, best);
      best = std::min(best, c.row.seconds);
    }
    time_again(contest, best);
    for (const Contender& c : contest) {
      if (c.row.state != State::timed) continue;
      tuning_.cache.put(c.problem, c.candidate.entry->name, base::thread_count(), c.row.seconds);
      timed_.insert(key(c));
    }
  }

  void time(Contender& c, double best) {
    report(base::str(c.row.layer, " ", kernels::name(c.row.pass), " ", c.row.entry));
    const auto timer = make_kernel_timer(*c.candidate.entry, c.problem, tuning_.clock);
    TimingConfig timing = config_.timing;
    timing.give_up_seconds = kGiveUp * best;
    c.row.seconds = std::max(timer->measure(timing).least_seconds, std::numeric_limits<double>::min());
    c.row.workspace_bytes = timer->traits().workspace_bytes;
    c.row.state = State::timed;
    expect(c, -1);
    spent_ += expected_seconds(c);
    ++done_;
  }

  // Those near the best in turn, so that all of them meet the same moments of the machine.
  void time_again(std::vector<Contender>& contest, double best) const {
    std::vector<Contender*> near;
    for (Contender& c : contest)
      if (c.row.state == State::timed && c.row.seconds <= config_.close * best) near.push_back(&c);
    if (near.size() < 2) return;
    for (int round = 0; round < config_.rounds; ++round) {
      for (Contender* c : near) {
        if (tuning_.stop != nullptr && tuning_.stop->stop_requested()) return;
        const auto timer = make_kernel_timer(*c->candidate.entry, c->problem, tuning_.clock);
        const double seconds = timer->measure(config_.timing).least_seconds;
        c->row.seconds = std::min(c->row.seconds, std::max(seconds, std::numeric_limits<double>::min()));
      }
    }
  }

  static void append(const TuneTarget& target, std::vector<Contender>& contest, std::vector<TuneRow>& rows) {
    std::stable_sort(contest.begin(), contest.end(), [](const Contender& a, const Contender& b) {
      if (a.row.measured() != b.row.measured()) return a.row.measured();
      return a.row.measured() && a.row.seconds < b.row.seconds;
    });
    for (std::size_t i = 0; i < contest.size(); ++i) {
      contest[i].row.fastest = i == 0 && contest[i].row.measured();
      rows.push_back(contest[i].row);
    }
    for (const plan::PassedOver& refused : target.refused)
      rows.push_back({.state = State::refused,
                      .layer = target.layer,
                      .pass = refused.pass,
                      .entry = refused.entry,
                      .reason = refused.reason});
  }

  // --- progress -------------------------------------------------------------------------------------------

  double expected_seconds(const Contender& c) const {
    return std::max(config_.timing.budget_seconds,
                    config_.timing.least_repetitions * c.row.predicted_seconds) +
           2 * c.row.predicted_seconds;
  }
  void expect(const Contender& c, int sign) {
    planned_ += sign;
    outstanding_ = std::max(0.0, outstanding_ + sign * expected_seconds(c));
  }

  void report(const std::string& what) const {
    if (!tuning_.on_progress) return;
    const double elapsed = tuning_.clock.now() - begin_;
    const double pace = spent_ > 0 ? elapsed / spent_ : 1;
    const bool is_end = what.empty();
    tuning_.on_progress({.done = done_,
                         .total = is_end ? done_ : done_ + std::max(1, planned_),
                         .elapsed_seconds = elapsed,
                         .remaining_seconds = is_end ? 0 : pace * outstanding_,
                         .what = what});
  }

  std::span<const TuneTarget> targets_;
  const Tuning& tuning_;
  const TuneConfig& config_;
  double begin_;
  std::vector<std::vector<Contender>> contests_;
  std::set<std::pair<std::string, std::string>> timed_;  // problem and entry, in this run
  int done_ = 0, planned_ = 0;
  double spent_ = 0, outstanding_ = 0;  // expected seconds
};

}  // namespace

std::string_view name(TuneRow::State state) {
  constexpr std::string_view kNames[] = {"timed", "known", "skipped", "refused"};
  return kNames[static_cast<std::size_t>(state)];
}

double TuneRow::prediction_error() const {
  CONVOY_CHECK(measured(), entry, " was not measured");
  return std::abs(predicted_seconds / seconds - 1);
}

double median_prediction_error(std::span<const TuneRow> rows) {
  std::vector<double> errors;
  for (const TuneRow& row : rows)
    if (row.measured()) errors.push_back(row.prediction_error());
  if (errors.empty()) return 0;
  std::sort(errors.begin(), errors.end());
  const std::size_t middle = errors.size() / 2;
  return errors.size() % 2 == 1 ? errors[middle] : (errors[middle - 1] + errors[middle]) / 2;
}

base::Result<std::vector<TuneTarget>> tune_targets(const plan::Analysis& analysis,
                                                   const plan::PlanRequest& request,
                                                   const kernels::Catalog& catalog, std::string_view op) {
  const plan::CandidateFinder finder(analysis, request, catalog);
  if (const base::Verdict verdict = finder.check(); !verdict) return verdict.reason();
  std::vector<TuneTarget> targets;
  const auto& layers = analysis.graph().layers();
  for (int i = 0; i < static_cast<int>(layers.size()); ++i) {
    const graph::Layer& layer = layers[static_cast<std::size_t>(i)];
    if (layer.kind->op != op) continue;
    for (const kernels::Pass pass : analysis.passes(i)) {
      auto all = finder.find_all(i, pass);
      if (!all) return all.reason();
      plan::AllCandidates found = std::move(all).value();
      targets.push_back({.layer = layer.name,
                         .problem = analysis.problem(i, pass),
                         .candidates = std::move(found.candidates),
                         .refused = std::move(found.refused)});
    }
  }
  return targets;
}

TuneTarget tune_target(std::string name, const Problem& problem, const plan::PlanRequest& request,
                       const kernels::Catalog& catalog) {
  TuneTarget target{.layer = std::move(name), .problem = problem};
  const auto all = request.conv_algorithms.find("*");
  const std::string asked = all == request.conv_algorithms.end() || all->second == "auto" ? "" : all->second;
  for (const kernels::LayoutFamily family : kernels::kLayoutFamilies) {
    if (request.layout && *request.layout != family) continue;
    target.problem.family = family;
    for (const kernels::KernelEntry& entry : catalog) {
      if (entry.op != problem.kind->op && entry.op != "*") continue;
      if (!asked.empty() && !plan::means(asked, entry.name)) continue;
      const Candidate candidate{&entry, family};
      if (const base::Verdict verdict = plan::admits(request, entry, target.problem))
        target.candidates.push_back(candidate);
      else
        target.refused.push_back({target.layer, problem.pass, entry_text(candidate), verdict.reason().text});
    }
  }
  target.refused = plan::telling_refusals(target.candidates, target.refused);
  return target;
}

std::vector<TuneRow> tune(std::span<const TuneTarget> targets, const Tuning& tuning) {
  return Tuner(targets, tuning).run();
}

}  // namespace convoy::tune
