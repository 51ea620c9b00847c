// Element-wise operators over several inputs whose sizes of 1 repeat, as in NumPy.
#pragma once

#include <vector>

#include "convoy/layers/support.h"

namespace convoy::layers {

// The common shape: in each dimension the inputs agree or are 1. Refuses different ranks (alignment at the
// end would lay the batch over another dimension), different batch sizes, and sizes that do not fit.
base::Result<tensor::Shape> broadcast_shape(std::span<const tensor::Shape> inputs);

// For each element of `output`, row-major, the index of the element of `input` that it reads.
std::vector<std::size_t> broadcast_indices(const tensor::Shape& input, const tensor::Shape& output);

// The shape rule of such an operator: one output of the common shape, no parameters.
base::Result<graph::Signature> infer_broadcast(const graph::Attributes&,
                                               std::span<const tensor::Shape> inputs);

// Backward, what the gradients of repeated inputs are summed by: operations, and the depth of the deepest
// tree.
ElementWork repetition_work(std::span<const tensor::Shape> inputs, const tensor::Shape& output);

// y = the sum of all inputs; the gradient of an input is summed over its repetitions.
graph::Work sum_work(const graph::Attributes&, std::span<const tensor::Shape> inputs,
                     const graph::Signature& signature);
void forward_sum(const graph::ReferenceArgs& args);
void backward_sum(const graph::ReferenceArgs& args);

}  // namespace convoy::layers
