// The vectors along one axis of an array, for operators that normalise along it.
#pragma once

#include "convoy/layers/support.h"

namespace convoy::layers {

// One vector: element j stands at first + j * stride.
struct Lane {
  std::size_t first = 0;
  std::size_t stride = 1;
  std::size_t size = 0;

  std::size_t operator[](std::size_t j) const { return first + j * stride; }
};

// Calls visit(lane) for every vector along `axis`, in ascending order of the first element.
template <class Visit>
void for_each_lane(const tensor::Shape& shape, int axis, Visit&& visit) {
  const std::size_t size = at(shape[axis]), stride = at(shape.count_from(axis + 1));
  const std::size_t outer = at(shape.count()) / (size * stride);
  for (std::size_t o = 0; o < outer; ++o)
    for (std::size_t i = 0; i < stride; ++i) visit(Lane{o * size * stride + i, stride, size});
}

// log(sum over j of exp(x[j])) along a lane, kept in two parts: their sum would round away what small
// probabilities of large scores need.
struct LogSumExp {
  double largest = 0;  // of x, so that no exponential overflows
  double rest = 0;     // log(sum over j of exp(x[j] - largest)), from 0 to log(size)

  double log_probability(double score) const { return (score - largest) - rest; }
};
LogSumExp log_sum_exp(std::span<const double> x, const Lane& lane);

// Shape rule: the input's shape; `axis` must exist and not be the batch.
base::Result<graph::Signature> infer_along_axis(const graph::Attributes& attributes,
                                                std::span<const tensor::Shape> inputs);

}  // namespace convoy::layers
