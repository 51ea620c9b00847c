// One layer with arrays for all that it reads and writes: what tests of layers and kernels compare with.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/graph/layer_kind.h"
#include "convoy/tensor/view.h"

namespace convoy::layers {

// The float64 reference applied to a sample. All arrays are owned, dense and float64, labels int32; they may
// be written between the calls. Not thread-safe.
class LayerCase {
 public:
  // The sample's attributes are completed; a sample that its own kind refuses is a bug.
  LayerCase(const graph::LayerKind& kind, const graph::LayerSample& sample);

  // Fills inputs, parameters and output gradients with normal numbers, running variances with squares of
  // them, labels with valid classes. Kinds with kinks get inputs that are a shuffled grid of step `kGrid`
  // without 0, so that no element is nearer to 0, and no two nearer to each other, than kGrid / 2.
  void fill_random(std::uint64_t seed);
  // The same with whole numbers from -4 to 4: sums and products of them are exact in any order.
  void fill_integers(std::uint64_t seed);
  // NaN into outputs, next state and gradients: whatever a call leaves unwritten shows.
  void poison();

  void forward();
  // Gradients of everything but labels and state.
  void backward();
  // Only those for which the flags, one an input and then one a parameter, are set.
  void backward(const std::vector<bool>& wanted);

  bool is_label(std::size_t input) const;
  bool is_state(std::size_t param) const;

  static constexpr double kGrid = 0.125;

  const graph::LayerKind& kind;
  graph::Attributes attributes;
  graph::Signature signature;
  graph::EvalContext context;
  std::vector<tensor::Tensor> inputs, params, outputs, next_state;
  std::vector<tensor::Tensor> input_gradients, param_gradients, output_gradients;

 private:
  template <class Draw>
  void fill(Draw&& draw, std::uint64_t seed);
  void fill_grid(tensor::Tensor& input, std::uint64_t seed);
};

}  // namespace convoy::layers
