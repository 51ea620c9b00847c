// Which algorithm each convolution uses in each direction, and why not another.
#pragma once

#include <string>
#include <vector>

#include "convoy/graph/graph.h"
#include "convoy/plan/resolve.h"

namespace convoy::run {

// A kernel that was not taken.
struct OtherAlgorithm {
  std::string kernel;  // "fft/blocked"
  std::string reason;
  double seconds = 0;  // of one that lost; 0: refused
  bool measured = false;
};

struct AlgorithmReport {
  std::string layer, direction, kernel;
  double seconds = 0;  // of one call; 0: not known
  bool measured = false;
  std::vector<OtherAlgorithm> others;
};

// One report a direction of each Conv layer, in graph order.
std::vector<AlgorithmReport> describe_algorithms(const graph::Graph& graph,
                                                 const plan::Resolution& resolution);
// The same of a plan whose making is past: names alone.
std::vector<AlgorithmReport> describe_algorithms(const graph::Graph& graph, const plan::Plan& plan);

// One line each, layers with equal ones together: "conv1 forward: direct/blocked 61 us; slower: onednn 183
// us, fft ~589 us; refused: winograd:f2, winograd:f4 (only filters of 3x3, not 5x5)". A tilde: predicted, not
// measured.
std::vector<std::string> algorithm_lines(const std::vector<AlgorithmReport>& reports);

}  // namespace convoy::run
