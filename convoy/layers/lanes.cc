#include "convoy/layers/lanes.h"

#include <algorithm>
#include <cmath>

namespace convoy::layers {

LogSumExp log_sum_exp(std::span<const double> x, const Lane& lane) {
  double largest = x[lane[0]];
  for (std::size_t j = 1; j < lane.size; ++j) largest = std::max(largest, x[lane[j]]);
  double sum = 0;
  for (std::size_t j = 0; j < lane.size; ++j) sum += std::exp(x[lane[j]] - largest);
  return {largest, std::log(sum)};
}

base::Result<graph::Signature> infer_along_axis(const graph::Attributes& attributes,
                                                std::span<const tensor::Shape> inputs) {
  const base::Result<int> axis = sample_axis(attributes.integer("axis"), inputs[0].rank());
  if (!axis) return axis.reason();
  return graph::Signature{.outputs = {inputs[0]}, .params = {}};
}

}  // namespace convoy::layers
