// What an operator is: ONNX's name, attributes and shape rule, its parameters, its work, its float64
// reference. A kind is plain data and functions; `layers` defines one a file and lists them in its catalog.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/base/rng.h"
#include "convoy/graph/attributes.h"
#include "convoy/tensor/param_layout.h"
#include "convoy/tensor/shape.h"
#include "convoy/tensor/view.h"

namespace convoy::graph {

// How a parameter starts. Source: Glorot and Bengio 2010; He et al. 2015.
struct Initialiser {
  enum class Rule : std::uint8_t { constant, gaussian, glorot_uniform, he_normal };
  Rule rule = Rule::constant;
  double value = 0;         // of constant
  double stddev = 0.01;     // of gaussian
  std::int64_t fan_in = 1;  // of glorot and he
  std::int64_t fan_out = 1;
};

struct ParamSpec {
  std::string name;  // without the layer's: "weight"
  tensor::Shape shape;
  tensor::SegmentKind kind = tensor::SegmentKind::parameter;
  tensor::ParamRole role = tensor::ParamRole::weight;
  Initialiser initialiser;
};

// What the shape rule derives from attributes and input shapes.
struct Signature {
  std::vector<tensor::Shape> outputs;
  std::vector<ParamSpec> params;  // parameters and state, in the layer's own order
};

// Operations of one pass over a batch, counted from shapes alone, and the longest chain of them that depend
// on each other. A multiply-accumulate is one operation, as every addition, comparison or exponential is. A
// sum of n terms is a tree of ceil(lg n) levels; the products that are its leaves add no level. Formulas and
// sources: docs/algorithms.md, "Layers".
struct Work {
  std::int64_t macs = 0;           // multiply-accumulates, forward
  std::int64_t macs_backward = 0;  // both backward passes together, half of it each
  std::int64_t other_flops = 0;    // forward, beyond the MACs: comparisons, additions, exponentials
  // Beyond the MACs, both backward passes together: the weights' where there are any, else the inputs'.
  std::int64_t other_flops_backward = 0;
  std::int64_t depth = 0;  // forward
  std::int64_t depth_backward_data = 0;
  std::int64_t depth_backward_weights = 0;
};

// The circumstances of one evaluation.
struct EvalContext {
  bool training = true;
  base::StepKey key;
  std::int64_t layer_index = 0;   // distinguishes the draws of equal layers
  std::int64_t global_batch = 1;  // denominator of the mean loss
};

// Arrays of one reference call, all float64 and dense but the labels (int32). A gradient view that is
// empty is not wanted. Every view that is wanted is overwritten whole; none alias.
struct ReferenceArgs {
  const Attributes& attributes;
  const EvalContext& context;
  std::span<const tensor::ConstView> inputs;
  std::span<const tensor::ConstView> params;  // of Signature::params, state included
  std::span<const tensor::View> outputs;      // forward: written; backward: what forward wrote
  std::span<const tensor::View>
      next_state;  // forward in training: one a Signature::params entry, empty but for state
  std::span<const tensor::ConstView> output_gradients;  // backward
  std::span<const tensor::View> input_gradients;        // backward
  std::span<const tensor::View> param_gradients;        // backward: one a Signature::params entry
};

// A case that tests, tuners and benchmarks may take as typical or awkward.
struct LayerSample {
  std::string name;
  Attributes attributes;
  std::vector<tensor::Shape> inputs;
};

struct LayerKind {
  std::string_view op;           // ONNX's op_type where ONNX has it
  std::string_view description;  // one line
  int min_inputs = 1;
  int max_inputs = 1;  // -1: any number
  std::span<const AttributeSpec> attributes = {};

  // Shapes of outputs and parameters. `attributes` are complete. Refuses what the operator forbids.
  base::Result<Signature> (*infer)(const Attributes& attributes, std::span<const tensor::Shape> inputs);
  Work (*work)(const Attributes& attributes, std::span<const tensor::Shape> inputs,
               const Signature& signature);

  // y = f(x; w), in float64, by the definition. Deterministic.
  void (*forward)(const ReferenceArgs&);
  // Gradients of the loss with respect to inputs and parameters, given those of the outputs.
  void (*backward)(const ReferenceArgs&);

  std::vector<LayerSample> (*samples)();

  // How tests and planners may treat it.
  struct Traits {
    bool linear = false;        // f(x) - f(0) is linear in the inputs: the adjoint identity applies
    bool is_view = false;       // the output is the first input's elements under another shape
    bool is_sum = false;        // the output is the sum of the inputs, whose shapes broadcast
    bool is_loss = false;       // outputs[0] is a scalar: the mean over the global batch
    bool takes_labels = false;  // the last input holds class indices, not differentiable
    bool elementwise = false;   // one output, of the first input's shape; each element depends on one element
    bool joint_backward = false;  // gradients of inputs and parameters come from one pass
    bool has_kinks = false;  // not differentiable on a set of measure zero (max, relu): sample away from it
    bool random = false;     // draws from the StepKey
  } traits;
};

}  // namespace convoy::graph
