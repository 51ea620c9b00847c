// The graph that grows while the nodes of a file are translated one after another.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convoy/graph/graph.h"
#include "convoy/onnx/import.h"
#include "convoy/onnx/metadata.h"

namespace convoy::onnx {

// A node with its attributes checked and completed.
struct Node {
  const FileNode& file;
  graph::Attributes attributes;

  bool has_input(std::size_t index) const {
    return index < file.inputs.size() && !file.inputs[index].empty();
  }
  bool has_output(std::size_t index) const {
    return index < file.outputs.size() && !file.outputs[index].empty();
  }
};

// "node 'Conv_0' (Conv)".
std::string label(const FileNode& node);

// What a value of the file is once it does not depend on the input.
struct Constant {
  FileTensor tensor;
  bool learned = false;  // an initialiser, not a Constant node
};

// A value with zeros around the image that its reader adds to its own pads.
struct Padded {
  std::string name;  // for a layer, where the reader cannot
  graph::ValueId value = -1;
  std::vector<std::int64_t> pads;  // as pads of Conv
};

struct TranslationConfig {
  std::string name;
  tensor::Shape sample_shape;
  bool has_batch = true;
  std::optional<std::int64_t> batch;  // the size that the file gives it
  std::int64_t opset = 0;
  std::map<std::string, graph::Attributes, std::less<>> training;  // TrainingMetadata::layers
};

// Refusals leave out the node, which whoever translates the whole adds.
class Translation {
 public:
  explicit Translation(TranslationConfig config);

  std::int64_t opset() const { return config_.opset; }
  bool has_batch() const { return config_.has_batch; }
  std::optional<std::int64_t> batch() const { return config_.batch; }
  graph::GraphBuilder& builder() { return builder_; }
  void note(std::string line) { notes_.push_back(std::move(line)); }

  // Gives the values of the file their meaning. Names are new.
  void bind(const std::string& name, graph::ValueId value) { values_[name] = value; }
  void bind(const std::string& name, Constant constant) { constants_[name] = std::move(constant); }
  void bind(const std::string& name, Padded padded) { padded_[name] = std::move(padded); }
  std::optional<graph::ValueId> value(const std::string& name) const;
  const Constant* constant(const std::string& name) const;
  bool is_known(const std::string& name) const {
    return value(name) || constant(name) != nullptr || padded_.contains(name);
  }

  // The value of that name as something computed; refuses constants.
  base::Result<graph::ValueId> computed(const std::string& name);
  // Input `index` as something computed; refuses constants and inputs left out.
  base::Result<graph::ValueId> data(const Node& node, std::size_t index);
  // Input 0 of an operator with pads, to whose `attributes` those of a Pad before it are added.
  base::Result<graph::ValueId> padded_data(const Node& node, graph::Attributes& attributes);
  // Input `index` as float32 values, or as integers, known beforehand.
  base::Result<FileTensor> reals(const Node& node, std::size_t index) const;
  base::Result<std::vector<std::int64_t>> integers(const Node& node, std::size_t index) const;
  // Input `index` as an operand of an element-wise operator on `rank` dimensions: computed, or a constant,
  // whose first dimension then lies on dimension `axis`, or whose last on the last where there is no axis.
  base::Result<graph::ValueId> operand(const Node& node, std::size_t index, int rank,
                                       std::optional<std::int64_t> axis = {});

  // As the file counts them: without the dimension of the graph's batch where the file has none.
  int rank(graph::ValueId value) const;
  // The layer's dimension for the file's `axis`, which may be negative. Refuses one outside the rank.
  base::Result<std::int64_t> axis(std::int64_t axis, graph::ValueId value) const;
  // Without the graph's batch.
  std::vector<std::int64_t> sample_sizes(graph::ValueId value) const;

  // A name for a layer that no other has: after the weight "NAME.weight", the node or its output.
  std::string layer_name(const Node& node, const std::string& weight = {});
  std::string unique_name(const std::string& wish);

  // Adds a layer. Refuses what the layer refuses.
  base::Result<graph::ValueId> add(const graph::LayerKind& kind, const std::string& name,
                                   const graph::Attributes& attributes, std::vector<graph::ValueId> inputs);
  // The same, bound to the node's first output.
  base::Verdict emit(const Node& node, const graph::LayerKind& kind, const std::string& name,
                     const graph::Attributes& attributes, std::vector<graph::ValueId> inputs);
  // A Reshape to these sizes of a sample.
  base::Result<graph::ValueId> reshape(const std::string& name, graph::ValueId value,
                                       std::vector<std::int64_t> sizes);
  void set_weight(const std::string& layer, const std::string& param, const FileTensor& values);

  // The kind of layer that made a value, and what that layer read first; null for the graph's inputs.
  struct Origin {
    const graph::LayerKind* kind = nullptr;
    graph::ValueId input = -1;
  };
  Origin origin(graph::ValueId value) const;

  // The graph, with all weights of the right shape. Refuses as build() does.
  base::Result<ImportedModel> finish() &&;

 private:
  base::Result<graph::ValueId> add_parameter(const std::string& name, const Constant& constant,
                                             std::vector<std::int64_t> sizes);

  TranslationConfig config_;
  graph::GraphBuilder builder_;
  std::map<std::string, graph::ValueId, std::less<>> values_;
  std::map<std::string, Constant, std::less<>> constants_;
  std::map<std::string, Padded, std::less<>> padded_;
  std::map<std::pair<std::string, std::vector<std::int64_t>>, graph::ValueId> parameters_;
  std::set<std::string, std::less<>> names_ = {"input", "labels"};
  std::map<std::string, FileTensor, std::less<>> weights_;  // by segment
  std::map<graph::ValueId, Origin> origins_;
  std::map<std::string, int> uses_;  // of initialisers, as weights
  std::vector<std::string> notes_;
};

}  // namespace convoy::onnx
