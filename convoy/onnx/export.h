// From a graph with its weights to an ONNX model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "convoy/graph/graph.h"
#include "convoy/onnx/codec.h"
#include "convoy/onnx/import.h"

namespace convoy::onnx {

inline constexpr std::int64_t kExportOpset = 13;

struct ExportRequest {
  const graph::Graph& graph;
  const Weights& weights;  // of every parameter and state that leads to the output
  std::optional<InputMetadata> input = {};
};

struct ExportedModel {
  FileModel file;
  std::vector<std::string> left_out;  // layers that lead only to the loss, but for the loss itself
};

// The layers that lead to the output, each a node of its name, its weights initialisers of their segments'
// names; batches of any size, "N". The loss, class names and what else training needs are metadata: the
// import of the result is the same graph. Refuses a layer that ONNX has no operator for.
base::Result<ExportedModel> export_model(const ExportRequest& request);

}  // namespace convoy::onnx
