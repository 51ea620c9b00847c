// A multilayer perceptron: two hidden layers of 1024 rectified units. 1,863,690 parameters at 784 inputs and
// 10 classes.
#include "convoy/layers/net.h"
#include "convoy/models/kinds.h"

namespace convoy::models {

base::Result<graph::Graph> build_mlp(const ModelRequest& request) {
  layers::Net net("mlp", request.input_shape);
  net.flatten("flatten").gemm("fc1", scaled(request, 1024)).relu();
  net.gemm("fc2", scaled(request, 1024)).relu();
  net.gemm("fc3", request.classes).softmax_cross_entropy();
  return std::move(net.class_names(request.class_names)).build();
}

}  // namespace convoy::models
