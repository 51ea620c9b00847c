// What the results must show, and whether they do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/conv_algorithms/measure.h"
#include "convoy/benchkit/statistics.h"

namespace convoy::bench {

// Two sides on the same layers: a ratio above 1 says that ours takes less time.
class Ratios {
 public:
  // Seconds of one call each; neither empty.
  void add(const std::vector<double>& ours, const std::vector<double>& theirs, double weight = 1);
  int count() const { return static_cast<int>(weights_.size()); }

  // Below, theirs / ours of the medians; 0 where nothing was added.
  double geometric_mean() const;
  benchkit::Interval geometric_interval() const;
  double total() const;  // of the sums of weight * seconds
  benchkit::Interval total_interval() const;

 private:
  std::vector<std::vector<double>> samples_;  // ours and theirs in turn
  std::vector<double> weights_;
};

// One claim.
struct Bar {
  std::string about;  // "1 ours / oneDNN"
  std::string what;   // "vgg16 forward T2"
  int layers = 0;     // that it rests on; 0: nothing to judge
  double value = 0;
  benchkit::Interval interval;
  double limit = 0;
  bool at_most = false;  // else at least
  std::string note;      // for people

  // By the end of the interval that is worse.
  bool holds() const { return layers > 0 && (at_most ? interval.high <= limit : interval.low >= limit); }
};

// Which layers of a set a choice is for.
enum class Part : std::uint8_t { all, unstrided, strided };
std::string_view name(Part part);

// Best single algorithm of ours for a set, direction and number of threads, and what a choice a layer gains.
struct Choice {
  std::string set;
  kernels::Pass pass = kernels::Pass::forward;
  int threads = 1;
  Part part = Part::all;
  std::string single;                           // empty: no algorithm serves all
  double single_seconds = 0, best_seconds = 0;  // with multiplicity
};
std::vector<Choice> choices(const ConvResults& results);

// All claims, by number, that the results can judge.
std::vector<Bar> judge(const ConvResults& results);

}  // namespace convoy::bench
