// A model's initial values, in whatever layouts its store has.
#pragma once

#include <cstdint>

#include "convoy/graph/graph.h"
#include "convoy/onnx/import.h"
#include "convoy/train/param_store.h"

namespace convoy::run {

// Overwrites the parameters and the state of `store` with the initial values that `graph` draws for `seed`:
// the same numbers whatever the plan stores where. Requires a store for a layout of `graph`, with a codec
// where a segment is not plain.
void initialise_store(const graph::Graph& graph, std::uint64_t seed, train::ParamStore& store);

// Overwrites them with a model file's values, which must be complete.
void load_weights(const onnx::Weights& weights, train::ParamStore& store);

// The initial values that `graph` draws for `seed`, by segment.
onnx::Weights initial_weights(const graph::Graph& graph, std::uint64_t seed);

}  // namespace convoy::run
