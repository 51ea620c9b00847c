// Softmax regression: what a data set gives away without hidden layers.
#include "convoy/layers/net.h"
#include "convoy/models/kinds.h"

namespace convoy::models {

base::Result<graph::Graph> build_linear(const ModelRequest& request) {
  layers::Net net("linear", request.input_shape);
  net.flatten("flatten").gemm("fc1", request.classes, {.initialiser = "glorot"}).softmax_cross_entropy();
  return std::move(net.class_names(request.class_names)).build();
}

}  // namespace convoy::models
