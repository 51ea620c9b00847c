// Random valid graphs, inputs and plans for property tests.
#pragma once

#include <cstdint>

#include "convoy/base/rng.h"
#include "convoy/graph/graph.h"
#include "convoy/kernels/catalog.h"
#include "convoy/plan/plan.h"
#include "convoy/plan/program.h"
#include "tests/support/reference_net.h"

namespace convoy::testing {

struct RandomGraphConfig {
  int max_layers = 7;  // before the head
  // Only layers that are exact in float32 on small integers in every order of summation, and a loss whose
  // denominator is a power of two.
  bool exact_integers = false;
  // Only layers without kinks and divisions, and a loss that does not saturate, so that a small error of one
  // layer stays small; and images through mostly 3x3 convolutions without strides, which every algorithm
  // serves.
  bool smooth = false;
};

// A DAG of 1 to max_layers random layers over a sample of rank 1 to 4, whose loose ends are flattened,
// concatenated and led through a Gemm into a loss. Every layer lies on the way to the loss.
graph::Graph random_graph(const RandomGraphConfig& config, base::RandomStream& random);

// Parameters, state, samples, labels and key for `n` samples: normal draws, or with `exact_integers` small
// integers whose every sum of absolute terms, forward and backward, stays below 2^24 units, so that float32
// holds each partial sum exactly. (Weights are thinned out until a bound over the net says so.)
NetInput random_input(const graph::Graph& graph, std::int64_t n, bool exact_integers,
                      base::RandomStream& random);

// For every pass of every layer a random supported entry and family, one for all passes where forward saves
// something, on bf16 or not where the step may; random fusion, storage of parameters and sharing of memory.
// Entries are those of `catalog`.
plan::Plan random_plan(const graph::Graph& graph, const plan::StepConfig& config,
                       const kernels::Catalog& catalog, base::RandomStream& random);

}  // namespace convoy::testing
