// What a model needs to be trained and used that ONNX's operators do not say: in the file's metadata_props,
// which other programs pass over.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "convoy/graph/graph.h"
#include "convoy/onnx/file_model.h"

namespace convoy::onnx {

// How pixels became inputs where the model was trained.
struct InputMetadata {
  std::string data;  // name of the data set
  std::vector<float> mean, stddev;
};

// The loss as a layer over values of the file; "labels" are the class indices.
struct LossMetadata {
  std::string name;
  std::string op;
  graph::Attributes attributes;
  std::vector<std::string> inputs;
};

struct TrainingMetadata {
  std::vector<std::string> class_names;                          // convoy.class_names: JSON list
  std::optional<InputMetadata> input;                            // convoy.input: JSON object
  std::optional<LossMetadata> loss;                              // convoy.loss: JSON object
  std::map<std::string, graph::Attributes, std::less<>> layers;  // convoy.layers: JSON object, name → text
};

using MetadataProps = std::map<std::string, std::string, std::less<>>;

MetadataProps to_props(const TrainingMetadata& metadata);
// Passes over what is not Convoy's. Throws InputError naming `file` and the key where the text is none of the
// above.
TrainingMetadata from_props(const MetadataProps& props, const std::string& file);

// Those attributes of a layer that an ONNX node cannot carry: how weights start and whose statistics count,
// and reals that float32 does not hold as they are.
graph::Attributes training_attributes(const graph::LayerKind& kind, const graph::Attributes& attributes);
// `attributes` with those of `training` that training_attributes() could have given for them: a real only
// where it is the same float32, so that what the node says is never overruled.
graph::Attributes with_training(const graph::LayerKind& kind, const graph::Attributes& attributes,
                                const graph::Attributes& training);

}  // namespace convoy::onnx
