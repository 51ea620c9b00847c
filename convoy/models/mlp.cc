// A multilayer perceptron: hidden layers of 1024 rectified units. 1,863,690 parameters at 784 inputs, 10
// classes and depth 3, which counts two hidden layers and the last.
#include "convoy/layers/net.h"
#include "convoy/models/kinds.h"

namespace convoy::models {

base::Result<graph::Graph> build_mlp(const ModelRequest& request) {
  layers::Net net("mlp", request.input_shape);
  net.flatten("flatten");
  for (std::int64_t i = 1; i < request.depth; ++i) net.gemm(base::str("fc", i), scaled(request, 1024)).relu();
  net.gemm(base::str("fc", request.depth), request.classes).softmax_cross_entropy();
  return std::move(net.class_names(request.class_names)).build();
}

}  // namespace convoy::models
