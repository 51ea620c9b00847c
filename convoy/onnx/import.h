// From an ONNX model to a graph with its weights.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "convoy/graph/graph.h"
#include "convoy/onnx/file_model.h"
#include "convoy/onnx/metadata.h"

namespace convoy::onnx {

inline constexpr std::int64_t kMinOpset = 1;
inline constexpr std::int64_t kMaxOpset = 17;

// Values of parameters and state, by segment name ("conv1.weight"), each of the segment's global shape.
using Weights = std::map<std::string, SharedTensor, std::less<>>;

struct ImportOptions {
  // Dimension 0 of the input is the batch, of any size. Otherwise the whole input is one sample, whatever the
  // operators make of its dimension 0; those that need a batch are refused.
  bool has_batch = true;
  std::string output;  // which output of the file; empty: its only one
  // Weights that the file leaves to its caller, under the names of its inputs.
  std::vector<FileTensor> parameters;
};

struct ImportedModel {
  graph::Graph graph;
  Weights weights;
  std::optional<InputMetadata> input;
  std::vector<std::string> notes;  // what a person should know, one line each
};

// Translates the nodes that lead to the output. Operators, opsets and metadata: docs/formats.md. The graph
// has a loss where the metadata or the file name one, or where the output is one score a class. `file` names
// the model in messages. Throws InputError for everything else, naming node, operator and reason; safe on
// hostile models.
ImportedModel import_model(FileModel model, const std::string& file, const ImportOptions& options = {});

// Reads a file and its external data, and imports it.
ImportedModel load_model(const std::string& path, const ImportOptions& options = {});

}  // namespace convoy::onnx
