// What a run writes into a checkpoint beside the tensors, and reads back.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "convoy/data/dataset.h"
#include "convoy/graph/graph.h"
#include "convoy/plan/plan.h"
#include "convoy/train/checkpoint.h"

namespace convoy::run {

// How pixels become inputs, and what the classes are called.
struct InputDescription {
  std::string data;  // name of the data set; empty: unknown, normalised as each data set says
  std::vector<float> mean, stddev;
  std::vector<std::string> class_names;
};

struct CheckpointTexts {
  graph::Graph graph;
  plan::Plan plan;
  InputDescription input;
  std::string config;  // TOML of the run's settings
};

// The manifest's texts: "model" (its name), "graph", "plan", "input" (JSON), "config".
std::map<std::string, std::string> to_texts(const CheckpointTexts& texts);
// Throws InputError naming `path` where a text is missing or cannot be read.
CheckpointTexts from_texts(const train::Manifest& manifest, const std::string& path);

// 16 hex digits of the graph's hash.
std::string hash_text(const graph::Graph& graph);

}  // namespace convoy::run
