// Reshape: the elements, in their order, under another shape that keeps the batch dimension.
//
// `shape` is the new one with the batch first, as 0 (or -1, if the rest fixes it). Elsewhere 0 copies the
// input's size of the same dimension and one -1 takes what is left.
// Source: ONNX operator Reshape-14 with allowzero=0; the shape is an input there and an attribute here.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;
using Ints = std::vector<std::int64_t>;

const graph::AttributeSpec kAttributes[] = {{"shape", Ints{}, true}};

// The sizes after the batch, with -1 resolved against the input's `elements` a sample.
base::Result<Ints> resolve(const Ints& shape, const tensor::Shape& input) {
  const std::int64_t elements = input.count_from(1);
  Ints sizes(shape.begin() + 1, shape.end());
  std::int64_t product = 1, open = -1;
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 0) {
      if (static_cast<int>(d) + 1 >= input.rank())
        return base::Reason{base::str("shape has 0 at dimension ", d + 1, ", which the input does not have")};
      sizes[d] = input[static_cast<int>(d) + 1];
    }
    if (sizes[d] == -1) {
      if (open >= 0 || shape[0] == -1) return base::Reason{"shape has -1 twice"};
      open = static_cast<std::int64_t>(d);
    } else if (sizes[d] < 0 || __builtin_mul_overflow(product, sizes[d], &product)) {
      return base::Reason{base::str("shape has the entry ", sizes[d])};
    }
  }
  if (open >= 0 && product > 0 && elements % product == 0) {
    sizes[at(open)] = elements / product;
    product = elements;
  }
  if (product != elements || (open >= 0 && sizes[at(open)] == -1))
    return base::Reason{base::str("shape does not fit: a sample has ", elements,
                                  " elements and the rest of shape ", product)};
  return sizes;
}

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const Ints& shape = attributes.integers("shape");
  if (inputs[0].rank() < 1) return base::Reason{"a scalar has no batch dimension to keep"};
  if (shape.empty() || (shape[0] != 0 && shape[0] != -1))
    return base::Reason{"shape must begin with 0: the batch dimension stays"};
  base::Result<Ints> sizes = resolve(shape, inputs[0]);
  if (!sizes) return sizes.reason();
  Ints all = std::move(sizes).value();
  all.insert(all.begin(), inputs[0][0]);
  return graph::Signature{.outputs = {tensor::Shape(std::move(all))}, .params = {}};
}

graph::Work work(const graph::Attributes&, std::span<const tensor::Shape>, const graph::Signature&) {
  return {};
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  std::copy(x.begin(), x.end(), f64(args.outputs[0]).begin());
}

void backward(const ReferenceArgs& args) {
  const auto dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  std::copy_n(dy.begin(), dx.size(), dx.begin());
}

std::vector<graph::LayerSample> samples() {
  return {{"to an image", {{"shape", Ints{0, 3, 4, 2}}}, {{2, 24}}},
          {"copy and rest", {{"shape", Ints{0, 0, -1}}}, {{2, 3, 4, 5}}},
          {"batch inferred", {{"shape", Ints{-1, 6}}}, {{3, 2, 3}}},
          {"batch 1", {{"shape", Ints{0, -1}}}, {{1, 2, 2}}}};
}

}  // namespace

const graph::LayerKind kReshape = {.op = "Reshape",
                                   .description = "the same elements under another shape",
                                   .attributes = kAttributes,
                                   .infer = infer,
                                   .work = work,
                                   .forward = forward,
                                   .backward = backward,
                                   .samples = samples,
                                   .traits = {.linear = true, .is_view = true}};

}  // namespace convoy::layers
