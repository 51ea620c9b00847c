// Small things that several layers' files share.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "convoy/graph/layer_kind.h"

namespace convoy::layers {

// The float64 elements of a view, and a size as an index.
inline std::span<const double> f64(const tensor::ConstView& view) { return view.as<double>(); }
inline std::span<double> f64(const tensor::View& view) { return view.as<double>(); }
inline std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// Empty when nobody wants the gradient.
inline std::span<double> wanted(const tensor::View& view) {
  return view.empty() ? std::span<double>() : view.as<double>();
}

// Steps a row-major index to its successor below `sizes`; false, and all zero, after the last one.
bool advance(std::vector<std::int64_t>& index, const std::vector<std::int64_t>& sizes);

// Ceiling of the binary logarithm; n >= 1.
std::int64_t ceil_log2(std::int64_t n);

// The dimension that ONNX's `axis` (negative: from the end) names, which must not be the batch.
base::Result<int> sample_axis(std::int64_t axis, int rank);

// The text of attribute `initialiser` for a layer of the given fans: "he" (normal), "glorot" (uniform),
// "gaussian:STDDEV", "constant:VALUE".
struct Fans {
  std::int64_t in = 1;
  std::int64_t out = 1;
};
base::Result<graph::Initialiser> parse_initialiser(std::string_view text, const Fans& fans);

// Refuses an output for which `operations` an element are more than 2^52 in all: no machine could do them,
// and no sum of such counts overflows.
base::Verdict check_work(const tensor::Shape& output, std::int64_t operations);

// Signature of one output with the first input's shape and no parameters.
base::Result<graph::Signature> same_shape(const graph::Attributes&, std::span<const tensor::Shape> inputs);

// Operations an element and their depth.
struct ElementWork {
  std::int64_t flops = 0;
  std::int64_t depth = 0;
};
// Work of `flops` operations an element of the first input, at the given depth; `backward` makes the gradient
// of the inputs.
graph::Work elementwise_work(std::span<const tensor::Shape> inputs, std::int64_t flops, std::int64_t depth,
                             const ElementWork& backward = {});

}  // namespace convoy::layers
