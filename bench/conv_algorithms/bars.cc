#include "bench/conv_algorithms/bars.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "convoy/base/check.h"
#include "convoy/report/text.h"

namespace convoy::bench {
namespace {

using benchkit::ConvMeasurement;
using kernels::Pass;

constexpr benchkit::BootstrapConfig kBootstrap = {.resamples = 1000};
// An algorithm that was not even tried counts as taking so many times the fastest's time, which is less than
// was predicted: the cut of bench_conv.
constexpr double kUntriedFactor = benchkit::kHopelessPrediction * kHopeless;

double geometric_mean_of(std::span<const double> medians) {
  double sum = 0;
  for (std::size_t i = 0; i < medians.size(); i += 2) sum += std::log(medians[i + 1] / medians[i]);
  return std::exp(2 * sum / static_cast<double>(medians.size()));
}

Bar geometric_bar(std::string about, std::string what, const Ratios& ratios, double limit) {
  Bar bar{.about = std::move(about), .what = std::move(what), .layers = ratios.count(), .limit = limit};
  if (bar.layers == 0) return bar;
  bar.value = ratios.geometric_mean();
  bar.interval = ratios.geometric_interval();
  return bar;
}

Bar total_bar(std::string about, std::string what, const Ratios& ratios, double limit) {
  Bar bar{.about = std::move(about), .what = std::move(what), .layers = ratios.count(), .limit = limit};
  if (bar.layers == 0) return bar;
  bar.value = ratios.total();
  bar.interval = ratios.total_interval();
  return bar;
}

Filter of(std::string_view family) {
  return [family](std::string_view algorithm) { return is_of(algorithm, family); };
}
Filter named(std::string_view name) {
  return [name](std::string_view algorithm) { return algorithm == name; };
}
bool is_direct_method(std::string_view a) {
  return is_of(a, "direct") || is_of(a, "im2col") || a == "onednn";
}

std::string place(const LayerResult& r) { return fmt::format("{} {} T{}", r.set, name(r.pass), r.threads); }
std::string side(const LayerResult& r) { return fmt::format("{} T{}", name(r.pass), r.threads); }

// Adds a layer's ratio where both sides were measured.
void add(const LayerResult& result, const Filter& ours, const Filter& theirs, Ratios& ratios,
         double weight = 1) {
  const ConvMeasurement *a = fastest(result, ours), *b = fastest(result, theirs);
  if (a != nullptr && b != nullptr) ratios.add(a->seconds, b->seconds, weight);
}

// Ratios by a name, in the order of first use.
class Groups {
 public:
  Ratios& operator[](const std::string& name) {
    for (auto& [known, ratios] : groups_)
      if (known == name) return ratios;
    return groups_.emplace_back(name, Ratios()).second;
  }
  auto begin() const { return groups_.begin(); }
  auto end() const { return groups_.end(); }

 private:
  std::vector<std::pair<std::string, Ratios>> groups_;
};

bool is_any(std::string_view) { return true; }

// 1: best of ours against the faster of the library's, by set and direction, over all, and layer by layer.
void judge_rival(const ConvResults& results, std::vector<Bar>& bars) {
  const std::string about = "1 ours / oneDNN";
  Groups by_place, over_all;
  Bar worst{.about = about, .what = "slowest layer", .value = INFINITY, .limit = 0.9};
  int below = 0;
  for (const LayerResult& r : results.layers) {
    add(r, is_own, is_rival, by_place[place(r)]);
    if (r.set != "kernel-sweep")
      add(r, is_own, is_rival, over_all[fmt::format("all sets but kernel-sweep T{}", r.threads)]);
    Ratios one;
    add(r, is_own, is_rival, one);
    if (one.count() == 0) continue;
    ++worst.layers;
    below += one.total() < worst.limit;
    if (one.total() >= worst.value) continue;
    worst.value = one.total();
    worst.interval = one.total_interval();
    worst.note = r.str();
  }
  for (const auto& [what, ratios] : by_place) bars.push_back(geometric_bar(about, what, ratios, 1.0));
  for (const auto& [what, ratios] : over_all) bars.push_back(geometric_bar(about, what, ratios, 1.15));
  worst.note += fmt::format("; {} of {} below {}", below, worst.layers, worst.limit);
  bars.push_back(worst);
}

void judge_torch(const ConvResults& results, std::vector<Bar>& bars) {
  Groups by_side, over_all;
  for (const LayerResult& r : results.layers) {
    const ConvMeasurement* ours = fastest(r, is_own);
    if (!r.torch || ours == nullptr) continue;
    over_all[fmt::format("all layers T{}", r.threads)].add(ours->seconds, r.torch->seconds);
    by_side[place(r)].add(ours->seconds, r.torch->seconds);
  }
  for (const auto& [what, ratios] : over_all)
    bars.push_back(geometric_bar("1 ours / PyTorch", what, ratios, 1.8));
  for (const auto& [what, ratios] : by_side)
    bars.push_back(geometric_bar("1 ours / PyTorch", what, ratios, 0));
}

void judge_fft(const ConvResults& results, std::vector<Bar>& bars) {
  const std::map<std::int64_t, double> limits = {{9, 3.5}, {15, 9}, {21, 15}, {31, 25}};
  for (const LayerResult& r : results.layers) {
    const auto limit = limits.find(r.layer.problem.r);
    Ratios ratios;
    if (r.set == "kernel-sweep" && limit != limits.end()) {
      add(r, of("fft"), is_rival, ratios);
      bars.push_back(total_bar("2 FFT / oneDNN", r.layer.name + " " + side(r), ratios, limit->second));
    }
    if (r.set == "convnet-benchmarks" && (r.layer.name == "L2" || r.layer.name == "L3")) {
      add(r, of("fft"), is_direct_method, ratios);
      bars.push_back(total_bar("2 FFT / fastest direct method", r.layer.name + " " + side(r), ratios, 1.0));
    }
  }
}

void judge_winograd(const ConvResults& results, std::vector<Bar>& bars) {
  Groups vgg, small;
  for (const LayerResult& r : results.layers) {
    const benchkit::ConvProblem& p = r.layer.problem;
    if (r.set == "vgg16")
      add(r, of("winograd"), named("onednn:winograd"), vgg["vgg16 in total " + side(r)],
          r.layer.multiplicity);
    if (p.r == 3 && !p.is_strided() && p.h == p.w && (p.h == 7 || p.h == 14))
      add(r, of("winograd"), named("onednn:winograd"), small["7x7 and 14x14 maps " + side(r)]);
  }
  const std::string about = "3 Winograd / oneDNN's";
  for (const auto& [what, ratios] : vgg) bars.push_back(total_bar(about, what, ratios, 1.05));
  for (const auto& [what, ratios] : small) bars.push_back(geometric_bar(about, what, ratios, 1.4));
}

void judge_direct(const ConvResults& results, std::vector<Bar>& bars) {
  Groups large, small;
  for (const LayerResult& r : results.layers) {
    if (r.set == "resnet50" || r.set == "alexnet")
      add(r, of("direct"), named("onednn"), large["resnet50 and alexnet " + side(r)]);
    if (r.set == "lenet5") add(r, of("direct"), named("onednn"), small["lenet5 " + side(r)]);
  }
  const std::string about = "4 direct / oneDNN's direct";
  for (const auto& [what, ratios] : large) bars.push_back(geometric_bar(about, what, ratios, 0.9));
  for (const auto& [what, ratios] : small) bars.push_back(geometric_bar(about, what, ratios, 2.0));
}

// Seconds of an algorithm of ours on a layer: measured, or the least that it can have taken; none where it
// cannot serve the layer.
std::vector<double> seconds_of(const LayerResult& result, const std::string& algorithm) {
  for (const ConvMeasurement& row : result.rows) {
    if (row.algorithm != algorithm) continue;
    if (row.measured()) return row.seconds;
    if (row.hopeless) return {kUntriedFactor * fastest(result, is_any)->median_seconds()};
  }
  return {};
}

using ChoiceKey = std::tuple<std::string, Pass, int, Part>;  // set, direction, threads

// The layers of each choice.
std::map<ChoiceKey, std::vector<const LayerResult*>> choice_groups(const ConvResults& results) {
  std::map<ChoiceKey, std::vector<const LayerResult*>> groups;
  for (const LayerResult& r : results.layers)
    if (fastest(r, is_own) != nullptr)
      for (const Part part : {Part::all, r.layer.problem.is_strided() ? Part::strided : Part::unstrided})
        groups[{r.set, r.pass, r.threads, part}].push_back(&r);
  return groups;
}

Choice choose(const ChoiceKey& key, const std::vector<const LayerResult*>& layers) {
  Choice choice{.set = std::get<0>(key),
                .pass = std::get<1>(key),
                .threads = std::get<2>(key),
                .part = std::get<3>(key)};
  for (const LayerResult* layer : layers)
    choice.best_seconds += layer->layer.multiplicity * fastest(*layer, is_own)->median_seconds();
  for (const ConvMeasurement& row : layers[0]->rows) {
    if (!is_own(row.algorithm)) continue;
    double sum = 0;
    const bool serves_all = std::all_of(layers.begin(), layers.end(), [&](const LayerResult* layer) {
      const std::vector<double> seconds = seconds_of(*layer, row.algorithm);
      if (!seconds.empty()) sum += layer->layer.multiplicity * benchkit::median(seconds);
      return !seconds.empty();
    });
    if (!serves_all || (!choice.single.empty() && sum >= choice.single_seconds)) continue;
    choice.single = row.algorithm;
    choice.single_seconds = sum;
  }
  return choice;
}

// 5: at least 20 % less time, so at least 1.25 times the speed.
void judge_choice(const ConvResults& results, std::vector<Bar>& bars) {
  Groups groups;
  for (const auto& [key, layers] : choice_groups(results)) {
    const Choice choice = choose(key, layers);
    if (choice.single.empty()) continue;
    for (const LayerResult* layer : layers) {
      const std::vector<double> single = seconds_of(*layer, choice.single);
      const std::vector<double>& best = fastest(*layer, is_own)->seconds;
      groups[fmt::format("all sets, {} T{}", name(choice.part), choice.threads)].add(
          best, single, layer->layer.multiplicity);
    }
  }
  for (const auto& [what, ratios] : groups) {
    const bool is_all = what.find(name(Part::all)) != std::string::npos;
    Bar bar = total_bar("5 one algorithm / one a layer", what, ratios, is_all ? 1.25 : 0);
    bar.note = fmt::format("{} less time", report::percent(1 - 1 / bar.value, 1));
    bars.push_back(bar);
  }
}

Bar counted(std::string about, std::string what, double value, double limit, int layers) {
  return {.about = std::move(about),
          .what = std::move(what),
          .layers = layers,
          .value = value,
          .interval = {value, value},
          .limit = limit};
}

// 6 and 7: bounds of errors, the tuner's pick, predictions.
void judge_numbers(const ConvResults& results, std::vector<Bar>& bars) {
  double largest = 0;
  int rows = 0, good = 0, picks = 0;
  std::vector<double> misses;
  for (const LayerResult& r : results.layers) {
    const ConvMeasurement* best = fastest(r, is_any);
    for (const ConvMeasurement& row : r.rows) {
      if (!row.measured()) continue;
      ++rows;
      largest = std::max(largest, row.share_of_bound);
      misses.push_back(std::abs(row.prediction_error()));
    }
    if (r.pick.empty() || best == nullptr) continue;
    const ConvMeasurement* pick = fastest(r, named(r.pick));
    ++picks;
    good += pick != nullptr && pick->median_seconds() <= 1.1 * best->median_seconds();
  }
  if (rows == 0) return;
  Bar bound = counted("6 error / its bound", "largest of all", largest, 1, rows);
  bound.at_most = true;
  bars.push_back(bound);
  if (picks > 0)
    bars.push_back(counted("7 tuner's pick within 10 % of the best", "share of the layers",
                           static_cast<double>(good) / picks, 0.95, picks));
  Bar prediction = counted("7 error of the predictions", "median", benchkit::median(misses), 0.25, rows);
  prediction.at_most = true;
  prediction.interval = benchkit::bootstrap_median(misses, kBootstrap);
  bars.push_back(prediction);
}

}  // namespace

std::string_view name(Part part) {
  switch (part) {
    case Part::all:
      return "every layer";
    case Part::unstrided:
      return "stride 1";
    case Part::strided:
      break;
  }
  return "strided";
}

void Ratios::add(const std::vector<double>& ours, const std::vector<double>& theirs, double weight) {
  CONVOY_CHECK(!ours.empty() && !theirs.empty(), "a side without samples");
  samples_.push_back(ours);
  samples_.push_back(theirs);
  weights_.push_back(weight);
}

double Ratios::geometric_mean() const {
  std::vector<double> medians;
  for (const std::vector<double>& samples : samples_) medians.push_back(benchkit::median(samples));
  return medians.empty() ? 0 : geometric_mean_of(medians);
}

benchkit::Interval Ratios::geometric_interval() const {
  return benchkit::bootstrap_medians(samples_, geometric_mean_of, kBootstrap);
}

double Ratios::total() const {
  double ours = 0, theirs = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    ours += weights_[i] * benchkit::median(samples_[2 * i]);
    theirs += weights_[i] * benchkit::median(samples_[2 * i + 1]);
  }
  return ours > 0 ? theirs / ours : 0;
}

benchkit::Interval Ratios::total_interval() const {
  const auto statistic = [this](std::span<const double> medians) {
    double ours = 0, theirs = 0;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      ours += weights_[i] * medians[2 * i];
      theirs += weights_[i] * medians[2 * i + 1];
    }
    return theirs / ours;
  };
  return benchkit::bootstrap_medians(samples_, statistic, kBootstrap);
}

std::vector<Choice> choices(const ConvResults& results) {
  std::vector<Choice> list;
  for (const auto& [key, layers] : choice_groups(results)) list.push_back(choose(key, layers));
  return list;
}

std::vector<Bar> judge(const ConvResults& results) {
  std::vector<Bar> bars;
  judge_rival(results, bars);
  judge_torch(results, bars);
  judge_fft(results, bars);
  judge_winograd(results, bars);
  judge_direct(results, bars);
  judge_choice(results, bars);
  judge_numbers(results, bars);
  return bars;
}

}  // namespace convoy::bench
