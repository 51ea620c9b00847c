#include "convoy/layers/broadcast.h"

#include <algorithm>

namespace convoy::layers {

base::Result<tensor::Shape> broadcast_shape(std::span<const tensor::Shape> inputs) {
  std::vector<std::int64_t> sizes = inputs[0].sizes();
  for (const tensor::Shape& input : inputs) {
    if (input.rank() != static_cast<int>(sizes.size()))
      return base::Reason{base::str("the inputs have ", sizes.size(), " and ", input.rank(),
                                    " dimensions; give all the same number, with 1 where one repeats")};
    for (int d = 0; d < input.rank(); ++d) {
      std::int64_t& size = sizes[at(d)];
      if (input[d] == size || (d > 0 && input[d] == 1)) continue;
      if (d == 0 || size != 1)
        return base::Reason{base::str("sizes ", size, " and ", input[d], " of dimension ", d, " do not fit")};
      size = input[d];
    }
  }
  return tensor::Shape(std::move(sizes));
}

ElementWork repetition_work(std::span<const tensor::Shape> inputs, const tensor::Shape& output) {
  ElementWork work;
  for (const tensor::Shape& input : inputs) {
    if (input == output) continue;
    std::int64_t depth = 0;
    for (int d = 0; d < output.rank(); ++d)
      if (input[d] == 1) depth += ceil_log2(output[d]);
    work.flops += output.count();
    work.depth = std::max(work.depth, depth);
  }
  return work;
}

std::vector<std::size_t> broadcast_indices(const tensor::Shape& input, const tensor::Shape& output) {
  std::vector<std::size_t> indices;
  indices.reserve(at(output.count()));
  std::vector<std::int64_t> index(at(output.rank()), 0);
  do {
    std::int64_t offset = 0;
    for (int d = 0; d < output.rank(); ++d) offset = offset * input[d] + (input[d] == 1 ? 0 : index[at(d)]);
    indices.push_back(at(offset));
  } while (advance(index, output.sizes()));
  return indices;
}

base::Result<graph::Signature> infer_broadcast(const graph::Attributes&,
                                               std::span<const tensor::Shape> inputs) {
  base::Result<tensor::Shape> shape = broadcast_shape(inputs);
  if (!shape) return shape.reason();
  return graph::Signature{.outputs = {std::move(shape).value()}, .params = {}};
}

graph::Work sum_work(const graph::Attributes&, std::span<const tensor::Shape> inputs,
                     const graph::Signature& signature) {
  const auto terms = static_cast<std::int64_t>(inputs.size());
  const ElementWork repeated = repetition_work(inputs, signature.outputs[0]);
  graph::Work work = elementwise_work(signature.outputs, terms - 1, ceil_log2(terms));
  work.other_flops_backward = repeated.flops;
  work.depth_backward_data = repeated.depth;
  return work;
}

void forward_sum(const graph::ReferenceArgs& args) {
  const auto y = f64(args.outputs[0]);
  std::fill(y.begin(), y.end(), 0.0);
  for (const tensor::ConstView& input : args.inputs) {
    const auto indices = broadcast_indices(input.shape(), args.outputs[0].shape());
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += f64(input)[indices[i]];
  }
}

void backward_sum(const graph::ReferenceArgs& args) {
  const auto dy = f64(args.output_gradients[0]);
  for (std::size_t input = 0; input < args.inputs.size(); ++input) {
    const auto dx = wanted(args.input_gradients[input]);
    if (dx.empty()) continue;
    std::fill(dx.begin(), dx.end(), 0.0);
    const auto indices = broadcast_indices(args.inputs[input].shape(), args.output_gradients[0].shape());
    for (std::size_t i = 0; i < dy.size(); ++i) dx[indices[i]] += dy[i];
  }
}

}  // namespace convoy::layers
