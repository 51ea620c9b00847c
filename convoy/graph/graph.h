// The model: an immutable DAG of layers over named values.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "convoy/graph/layer_kind.h"
#include "convoy/tensor/param_layout.h"

namespace convoy::graph {

using ValueId = int;

// One node: a layer kind applied to values. Plain data.
struct Layer {
  std::string name;
  const LayerKind* kind = nullptr;
  Attributes attributes;  // complete
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
};

// An edge. `producer` is the index of its layer, -1 for an input of the graph.
struct Value {
  std::string name;
  int producer = -1;
  bool is_label = false;
};

// Everything that depends on the batch size.
struct Shapes {
  std::vector<tensor::Shape> values;  // by ValueId; dimension 0 is the batch, but for scalars
  std::vector<Signature> signatures;  // by layer
};

// Layers stand in topological order. Copies are cheap to make and independent.
class Graph {
 public:
  const std::string& name() const { return name_; }
  const std::vector<Layer>& layers() const { return layers_; }
  const std::vector<Value>& values() const { return values_; }
  const tensor::Shape& input_shape() const { return input_shape_; }  // of one sample
  ValueId input() const { return 0; }
  ValueId labels() const { return labels_; }  // -1: none
  ValueId output() const { return output_; }  // what predict returns: class scores, a reconstruction
  ValueId loss() const { return loss_; }      // -1: none
  const std::vector<std::string>& class_names() const { return class_names_; }

  // Layers that read `value`, ascending; a layer that reads it twice stands twice.
  std::vector<int> consumers(ValueId value) const;

  // Shapes for a batch of n samples. Cannot fail: build() has inferred it once and every rule is uniform in
  // the batch.
  Shapes infer(std::int64_t n) const;

  // Parameters and state in graph order, each "<layer>.<param>", replicated, of the given type.
  tensor::ParamLayout param_layout(tensor::DType type) const;

  // Text of the whole graph, one line a layer; equal graphs have equal texts. Ends in a newline.
  std::string str() const;
  // FNV-1a of str(): compared across ranks and between a checkpoint and a model.
  std::uint64_t hash() const;

 private:
  friend class GraphBuilder;
  std::string name_;
  tensor::Shape input_shape_;
  std::vector<Layer> layers_;
  std::vector<Value> values_;
  std::vector<std::string> class_names_;
  ValueId labels_ = -1;
  ValueId output_ = -1;
  ValueId loss_ = -1;
};

// Collects layers and gives a Graph, or the first thing that is wrong with it.
class GraphBuilder {
 public:
  // `sample_shape` has no batch dimension: {C, H, W}.
  GraphBuilder(std::string name, tensor::Shape sample_shape);

  ValueId input() const { return 0; }
  // The class indices, {N}; declared on first use.
  ValueId labels();

  // Adds a layer with one output and returns it. Names are unique. After a mistake every further call is
  // harmless and build() reports the first one.
  ValueId add(const LayerKind& kind, std::string name, const Attributes& attributes,
              std::vector<ValueId> inputs);

  void set_output(ValueId value) { graph_.output_ = value; }
  void set_loss(ValueId value) { graph_.loss_ = value; }
  void set_class_names(std::vector<std::string> names) { graph_.class_names_ = std::move(names); }

  // The shape of a value for a batch of `n`, for builders whose layers depend on it.
  tensor::Shape shape(ValueId value) const;
  // What build() will refuse with; empty as long as nothing is wrong.
  const std::string& mistake() const { return mistake_; }

  // Requires an output. Refuses unreachable layers, a loss that is no scalar, and whatever add() met,
  // naming layer, operator and shapes.
  base::Result<Graph> build() &&;

 private:
  Graph graph_;
  std::vector<tensor::Shape> shapes_;  // for a batch of two: a rule that mixes up 1 and N shows
  std::string mistake_;
};

// Fills parameters and state of `layout` with their initial values, padding with 0: each segment draws from
// its own streams (seed, its index in graph order, block of 4096 elements of the global array), so that
// neither threads nor slices change a draw, nor a layer appended behind. Arenas have parameter_extent /
// state_extent elements of float32.
void initialise(const Graph& graph, const tensor::ParamLayout& layout, std::uint64_t seed,
                std::span<float> parameters, std::span<float> state);

}  // namespace convoy::graph
